/** Tables and plots of plain rows: the terminal's table and the self-contained HTML report. */
@NullMarked
package dev.walsh.report;

import org.jspecify.annotations.NullMarked;
