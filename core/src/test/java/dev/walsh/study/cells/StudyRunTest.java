package dev.walsh.study.cells;

import dev.walsh.config.UserError;
import dev.walsh.eval.Item;
import dev.walsh.eval.Task;
import dev.walsh.study.plan.Cell;
import dev.walsh.study.plan.StudyPlan;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.train.Interruption;
import dev.walsh.train.TinyRun;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

final class StudyRunTest {
  private static final String PLAN = """
      {"name": "tiny", "data": {"train": "data", "validation": {"text": "data"}}, "groups": [
        {"name": "rates", "model": {"layers": 2, "width": 24, "heads": 2, "hidden": 40, "context": 16}, "tokens": 640, "batchTokens": 64,
         "arms": ["dense", "hadamard"], "seeds": [4], "learningRates": [1e-5, 3e-3, 1e30]},
        {"name": "arms", "model": {"layers": 2, "width": 24, "heads": 2, "hidden": 40, "context": 16}, "tokens": 1280, "batchTokens": 64,
         "arms": ["dense", "identity"], "seeds": [0], "bestOf": "rates", "tasks": ["guess"]}]}
      """;
  @TempDir
  Path folder;
  private StudyPlan plan;
  private CellStore store;
  private Corpora corpora;
  private final List<String> said = Collections.synchronizedList(new ArrayList<>());

  /** Models this small lose more by threads that wait for each other than they gain. */
  @BeforeAll
  static void oneThread() {
    Device.setThreads(1);
  }

  @AfterAll
  static void allThreadsAgain() {
    Device.setThreads(Runtime.getRuntime().availableProcessors());
  }

  @BeforeEach
  void open() throws IOException {
    plan = StudyPlan.read(Files.writeString(folder.resolve("plan.json"), PLAN));
    store = new CellStore(folder);
    var data = TinyRun.data(folder);
    corpora = Corpora.open(data, Map.of("text", data));
  }

  @AfterEach
  void close() {
    corpora.close();
  }

  private StudyRun.Outcome run(Set<String> only, double minutes, boolean keepWeights) throws InterruptedException {
    var question = new Item.Choices(1, "line", List.of("1 of the text", "of text the"), 0);
    var task = new Task("guess", "1", null, false, List.of(new Task.ItemSet("", "guess.jsonl", List.of(question, question))));
    var place = new Place(Device.CPU, Dtype.F32, "a machine", List.of("study"));
    try (var interruption = Interruption.listen()) {
      return new StudyRun(plan, plan.cellsOf(only), store, corpora, List.of(task), place, keepWeights, minutes, said::add)
          .run(interruption);
    }
  }

  private CellRecord record(String id) {
    return Objects.requireNonNull(store.find(cell(id)));
  }

  private Cell cell(String id) {
    return plan.cells().stream().filter(c -> c.id().equals(id)).findFirst().orElseThrow();
  }

  @Test
  void allCellsRunOnceAndALossThatGoesAwayIsAResult() throws Exception {
    assertThat(run(Set.of(), Double.POSITIVE_INFINITY, false)).isEqualTo(new StudyRun.Outcome(8, 0, 0, 0, false));
    assertThat(said).hasSize(8);
    var wild = record("rates_dense_lr1000000000000000000000000000000_seed4");
    assertThat(wild.diverged()).isNotNull();
    assertThat(wild.loss()).isNaN();
    var sound = record("rates_dense_lr0.003_seed4");
    assertThat(sound.loss()).isLessThan(record("rates_dense_lr0.00001_seed4").loss());
    assertThat(record("arms_dense_lrbest_seed0")).satisfies(r -> {
      assertThat(r.training().learningRate()).isEqualTo(3e-3);
      assertThat(r.learningRateFrom()).isEqualTo("best of rates");
      assertThat(r.tasks()).singleElement().satisfies(t -> assertThat(t.scores().get("acc")).extracting("chance").isEqualTo(0.5));
    });
    assertThat(record("arms_identity_lrbest_seed0").learningRateFrom()).contains("hadamard, which stands in");

    var time = Files.getLastModifiedTime(folder.resolve("cells").resolve(sound.id() + ".json"));
    assertThat(run(Set.of(), Double.POSITIVE_INFINITY, false).finished()).isEqualTo(8);
    assertThat(said).as("nothing is trained again").hasSize(8);
    assertThat(Files.getLastModifiedTime(folder.resolve("cells").resolve(sound.id() + ".json"))).isEqualTo(time);
  }

  @Test
  void aCurveEndsWhereTheRecordSays() throws Exception {
    run(Set.of("rates"), Double.POSITIVE_INFINITY, true);
    var record = record("rates_hadamard_lr0.003_seed4");
    var curve = store.curve(cell(record.id()));
    var train = curve.stream().filter(r -> r.trainLoss() != null).toList();
    assertThat(train).hasSize(10);
    assertThat(train.getLast().trainLoss()).isEqualTo(record.trainLoss());
    assertThat(train.getLast().tokens()).isEqualTo(640);
    assertThat(train.getLast().flops()).isEqualTo(640 * record.sizes().flopsAToken());
    assertThat(train.getLast().seconds()).isCloseTo(record.seconds(), within(1e-12));
    var last = Objects.requireNonNull(curve.getLast().validationLoss());
    assertThat(last).containsOnlyKeys("text");
    assertThat(folder.resolve("cells").resolve(record.id())).as("the weights were to be kept").isDirectoryContaining("glob:**/step-*");
  }

  @Test
  void twoShareAFolderAndNeitherTrainsWhatTheOtherHas() throws Exception {
    var other = CompletableFuture.supplyAsync(() -> {
      try {
        return run(Set.of(), Double.POSITIVE_INFINITY, false);
      } catch (InterruptedException e) {
        throw new AssertionError(e);
      }
    });
    run(Set.of(), Double.POSITIVE_INFINITY, false);
    other.join();
    assertThat(said).hasSize(8).doesNotHaveDuplicates();
    assertThat(plan.cells()).allSatisfy(cell -> assertThat(store.find(cell)).isNotNull());
  }

  @Test
  void cellsThatWouldNotFitOrWhoseRateIsUnknownAreLeft() throws Exception {
    assertThat(run(Set.of("arms"), Double.POSITIVE_INFINITY, false)).isEqualTo(new StudyRun.Outcome(0, 0, 0, 2, false));
    assertThat(run(Set.of("rates"), 1e-9, false)).isEqualTo(new StudyRun.Outcome(0, 0, 6, 0, false));
    assertThat(said).isEmpty();
  }

  @Test
  void aRecordOfAnotherPlanIsRefusedAndADamagedOneIsNamed() throws Exception {
    run(Set.of("rates"), Double.POSITIVE_INFINITY, false);
    var changed = StudyPlan.read(Files.writeString(folder.resolve("other.json"), PLAN.replace("\"tokens\": 640", "\"tokens\": 704")));
    assertThatThrownBy(() -> store.find(changed.cells().getFirst())).isInstanceOf(UserError.class)
        .hasMessageContaining("has another model or recipe");
    var file = folder.resolve("cells").resolve("rates_dense_lr0.003_seed4.json");
    Files.writeString(file, Files.readString(file).substring(0, 100));
    assertThatThrownBy(() -> record("rates_dense_lr0.003_seed4")).isInstanceOf(UserError.class)
        .hasMessageContainingAll(file.toString(), "delete the cell's files");
  }
}
