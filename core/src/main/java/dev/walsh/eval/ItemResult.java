package dev.walsh.eval;

import java.util.List;
import java.util.Map;

/**
 * What a model said of one item; a list has an entry for each choice, or one for the continuation or the text.
 *
 * @param task the task's name
 * @param set which of the task's sets; empty where it has one only
 * @param line where the item begins in its file, counted from 1
 * @param truncated whether something did not fit the model's context
 * @param logLikelihoods in nats
 * @param greedy whether each token is the one that the model finds likeliest
 * @param tokens how many tokens were scored
 * @param bytes of each choice, of the continuation or of the text, in UTF-8
 * @param scores the item's share in each of the task's metrics: 1 or 0, or a perplexity of its own
 */
public record ItemResult(String task, String set, int line, boolean truncated, List<Double> logLikelihoods, List<Boolean> greedy,
    List<Integer> tokens, List<Integer> bytes, Map<String, Double> scores) {}
