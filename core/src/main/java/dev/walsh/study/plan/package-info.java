/** What a study trains: a validated plan, its groups, and the cells that these unfold into. */
@NullMarked
package dev.walsh.study.plan;

import org.jspecify.annotations.NullMarked;
