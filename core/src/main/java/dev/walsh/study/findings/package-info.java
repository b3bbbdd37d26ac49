/** What a study's records show: pure functions over them, the verdicts on the paper's claims, and the report. */
@NullMarked
package dev.walsh.study.findings;

import org.jspecify.annotations.NullMarked;
