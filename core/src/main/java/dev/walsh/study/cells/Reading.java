package dev.walsh.study.cells;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One line of a cell's curve: the training loss over some steps, or a validation after one.
 *
 * @param step optimizer steps taken; of a mean, its last
 * @param tokens trained on so far
 * @param flops operations of training so far
 * @param seconds spent in training steps so far
 * @param trainLoss the mean since the line before, in nats a token; null on a validation's line
 * @param validationLoss in nats a token, by text; null on the other lines
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record Reading(long step, long tokens, double flops, double seconds, @Nullable Double trainLoss,
    @Nullable Map<String, Double> validationLoss) {}
