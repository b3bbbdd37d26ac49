package dev.walsh;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

/** Dependencies run one way between the rooms, as ARCHITECTURE.md draws them. */
@AnalyzeClasses(packages = "dev.walsh", importOptions = ImportOption.DoNotIncludeTests.class)
final class ArchitectureTest {
  @ArchTest
  static final ArchRule ROOMS_ARE_LAYERED = layeredArchitecture().consideringOnlyDependenciesInLayers()
      .layer("config").definedBy("dev.walsh.config..", "dev.walsh.files..", "dev.walsh.ranks..")
      .layer("ground").definedBy("dev.walsh.tensor..", "dev.walsh.measure..", "dev.walsh.report..")
      .layer("sources").definedBy("dev.walsh.text..", "dev.walsh.data..", "dev.walsh.kernels..")
      .layer("model").definedBy("dev.walsh.model..")
      .layer("checkpoint").definedBy("dev.walsh.checkpoint..")
      .layer("use").definedBy("dev.walsh.train..", "dev.walsh.generate..")
      .layer("eval").definedBy("dev.walsh.eval..")
      .layer("study").definedBy("dev.walsh.study..")
      .layer("cli").definedBy("dev.walsh", "dev.walsh.cli..")
      .whereLayer("cli").mayNotBeAccessedByAnyLayer()
      .whereLayer("study").mayOnlyBeAccessedByLayers("cli")
      .whereLayer("eval").mayOnlyBeAccessedByLayers("study", "cli")
      .whereLayer("use").mayOnlyBeAccessedByLayers("eval", "study", "cli")
      .whereLayer("checkpoint").mayOnlyBeAccessedByLayers("use", "eval", "study", "cli")
      .whereLayer("model").mayOnlyBeAccessedByLayers("checkpoint", "use", "eval", "study", "cli")
      .whereLayer("sources").mayOnlyBeAccessedByLayers("model", "checkpoint", "use", "eval", "study", "cli")
      .whereLayer("ground").mayOnlyBeAccessedByLayers("sources", "model", "checkpoint", "use", "eval", "study", "cli")
      .withOptionalLayers(true);

  @ArchTest
  static final ArchRule NO_CYCLES = slices().matching("dev.walsh.(**)").should().beFreeOfCycles();

  @ArchTest
  static final ArchRule LIFETIMES_STAY_IN_THE_TENSOR_ROOM = noClasses().that().resideOutsideOfPackages("dev.walsh.tensor..")
      .should().dependOnClassesThat().haveFullyQualifiedName("org.bytedeco.javacpp.PointerScope");
}
