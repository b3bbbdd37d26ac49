package dev.walsh.study.plan;

import dev.walsh.config.UserError;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

final class StudyPlanTest {
  private static final String PLAN = """
      {"name": "all of it", "data": {"train": "train", "validation": {"books": "b", "talks": "t"}}, "groups": [
        {"name": "rates", "model": {"layers": 2, "width": 24, "heads": 2, "context": 16}, "tokens": 640, "batchTokens": 64,
         "arms": ["dense", "hadamard"], "seeds": [0], "learningRates": [5e-4, 0.001]},
        {"name": "arms", "model": {"layers": 2, "width": 24, "heads": 2, "context": 16}, "tokens": 640, "batchTokens": 64,
         "arms": ["dense", "hadamard", "identity"], "seeds": [0, 1], "bestOf": "rates", "tasks": ["piqa"]}]}
      """;
  @TempDir
  Path folder;

  private StudyPlan read(String text) throws IOException {
    return StudyPlan.read(Files.writeString(folder.resolve("plan.json"), text));
  }

  @Test
  void groupsUnfoldIntoCellsSeedAfterSeed() throws IOException {
    var plan = read(PLAN);
    assertThat(plan.cells()).extracting(Cell::id).containsExactly("rates_dense_lr0.0005_seed0", "rates_dense_lr0.001_seed0",
        "rates_hadamard_lr0.0005_seed0", "rates_hadamard_lr0.001_seed0", "arms_dense_lrbest_seed0", "arms_hadamard_lrbest_seed0",
        "arms_identity_lrbest_seed0", "arms_dense_lrbest_seed1", "arms_hadamard_lrbest_seed1", "arms_identity_lrbest_seed1");
    assertThat(plan.data().validation()).containsOnlyKeys("books", "talks");
    assertThat(plan.cellsOf(Set.of("rates"))).hasSize(4);
    assertThatThrownBy(() -> plan.cellsOf(Set.of("rate"))).isInstanceOf(UserError.class).hasMessageContaining("rates, arms");
    var arms = plan.groups().getLast();
    assertThat(arms.arm("identity", 257).model().hidden()).as("8/3 of the width, in steps of 64").isEqualTo(64);
    assertThat(arms.recipe(0.01, 3, true)).extracting("batchTokens", "length", "seed", "learningRate").isEqualTo(List.of(64, 16, 3L, 0.01));
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
      "identity"]       | "fourier"]         | line 4 | groups[1] | the arm 'fourier' is unknown
      "heads": 2        | "heads": 5         | line 2 | groups[0].model | heads = 5 does not divide width = 24
      "tokens": 640     | "tokens": 0        | line 2 | groups[0] | tokens is 0
      "tokens": 640     | "token": 640       | line 2 | groups[0] | tokens is 0 or missing
      "seeds": [0]      | "seeds": ["one"]   | line 3 | groups[0].seeds[0] | one
      "batchTokens": 64 | "batchSize": 64    | line 2 | groups[0].batchSize | the field is unknown; use one of name, about, model
      "seeds": [0]      | "seeds": []        | line 2 | groups[0] | seeds is missing
      "seeds": [0, 1]   | "seeds": [1, 1]    | line 4 | groups[1] | seeds has [1, 1]
      [5e-4, 0.001]     | [5e-4, 0]          | line 2 | groups[0] | --lr is 0.0
      "batchTokens": 64 | "batchTokens": 63  | line 2 | groups[0] | --batch-tokens is 63
      "bestOf": "rates" | "bestOf": "later"  | line   | bestOf    | which is no earlier group
      "learningRates": [5e-4, 0.001] | "bestOf": "arms" | line | bestOf | give learningRates in its place
      "name": "arms"    | "name": "rates"    | line   | groups    | two of the name rates
      "name": "arms"    | "name": "a/b"      | line 4 | groups[1] | name is a/b
      "train": "train"  | "trains": "train"  | line 1 | data.trains | use one of train, validation
      "name": "all of it" | "name": " " | line | name | say what the study is called
      """)
  void aMistakeNamesFileLineAndField(String right, String wrong, String line, String field, String said) {
    assertThat(PLAN).contains(right);
    var text = PLAN.replaceFirst(Pattern.quote(right), Matcher.quoteReplacement(wrong));
    assertThatThrownBy(() -> read(text)).isInstanceOf(UserError.class).hasMessageContainingAll("plan.json", line, field, said)
        .hasMessageNotContaining("\n");
  }

  @Test
  void aBuiltInTextIsAWordAndAnythingElseIsRefused() throws IOException {
    assertThat(read(PLAN.replaceFirst("\\{\"train.*?}}", "\"jdk\"")).data().areJdkSources()).isTrue();
    assertThatThrownBy(() -> read(PLAN.replaceFirst("\\{\"train.*?}}", "\"web\""))).isInstanceOf(UserError.class)
        .hasMessageContaining("'web' is unknown");
    assertThatThrownBy(() -> StudyPlan.read(folder.resolve("none.json"))).isInstanceOf(UserError.class).hasMessageContaining("there is no");
  }

  @Test
  void thePlansThatComeWithTheProjectAreSound() throws IOException {
    var plans = Path.of("..", "plans");
    try (var files = Files.list(plans)) {
      assertThat(files.filter(f -> f.toString().endsWith(".json"))).isNotEmpty().allSatisfy(f -> assertThat(StudyPlan.read(f).cells())
          .isNotEmpty());
    }
  }
}
