package dev.walsh.study.paper;

import dev.walsh.config.ModelConfig;
import dev.walsh.config.Projection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Which cells Table 3 and Figures 5 to 8 are made of: the paper's, or a few small ones that any machine measures in seconds.
 *
 * @param models by name, from small to large
 * @param decode batch and length of Table 3 and Figure 8
 * @param prefillBatch of Figure 5, whose lengths are {@code prefillLengths}
 * @param model of Figures 6 and 7
 * @param mapTokens the most that a cell of Figure 6 has
 * @param stepLength of Figure 7, whose batches are {@code stepBatches}
 */
public record InferenceGrid(SequencedMap<String, ModelConfig> models, Shape decode, int prefillBatch, List<Integer> prefillLengths,
    String model, List<Integer> mapBatches, List<Integer> mapLengths, int mapTokens, List<Integer> stepBatches, int stepLength) {
  private static final int SMOKE_VOCABULARY = 257;

  /** Sequences at once, and their tokens. */
  public record Shape(int batch, int length) {}

  public InferenceGrid {
    models = new LinkedHashMap<>(models);
  }

  /** The paper's. */
  public static InferenceGrid paper(Published published) {
    var models = new LinkedHashMap<String, ModelConfig>();
    for (var size : published.sizes()) models.put(size.model(), ModelConfig.parse(size.model()));
    return new InferenceGrid(models, new Shape(1024, 2), 128, List.of(64, 256, 1024), "757M", List.of(8, 16, 32, 64, 128, 256, 512, 1024),
        List.of(32, 64, 128, 256, 512, 1024), 32_768, List.of(32, 64, 128, 256, 512, 1024, 2048), 32);
  }

  /** Small cells of small models, which say nothing of large ones. */
  public static InferenceGrid smoke() {
    var models = new LinkedHashMap<String, ModelConfig>();
    models.put("width 64", smoke(64));
    models.put("width 128", smoke(128));
    return new InferenceGrid(models, new Shape(16, 2), 4, List.of(8, 16, 32), "width 128", List.of(1, 2, 4, 8), List.of(8, 16, 32), 64, List
        .of(1, 4, 16), 8);
  }

  private static ModelConfig smoke(int width) {
    return new ModelConfig(2, width, 4, ModelConfig.defaultHidden(width), 64, SMOKE_VOCABULARY, Projection.named("dense"));
  }

  /** The cells of each model that decoding is measured in. */
  public Map<String, Set<Shape>> decoding() {
    return models.keySet().stream().collect(Collectors.toMap(name -> name, name -> cells(Stream.concat(Stream.of(decode), stepBatches
        .stream().map(batch -> new Shape(batch, stepLength)))), (a, b) -> a, LinkedHashMap::new));
  }

  /** The cells of each model that prefill is measured in. */
  public Map<String, Set<Shape>> prefill() {
    return models.keySet().stream().collect(Collectors.toMap(name -> name, name -> cells(Stream.concat(prefillLengths.stream().map(
        length -> new Shape(prefillBatch, length)), name.equals(model) ? map() : Stream.of())), (a, b) -> a, LinkedHashMap::new));
  }

  private static Set<Shape> cells(Stream<Shape> shapes) {
    return shapes.collect(Collectors.toCollection(LinkedHashSet::new));
  }

  private Stream<Shape> map() {
    return mapBatches.stream().flatMap(batch -> mapLengths.stream().map(length -> new Shape(batch, length))).filter(this::inMap);
  }

  /** Whether Figure 6 has a cell. */
  boolean inMap(Shape cell) {
    return (long) cell.batch * cell.length <= mapTokens;
  }
}
