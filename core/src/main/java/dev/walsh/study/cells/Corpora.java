package dev.walsh.study.cells;

import dev.walsh.config.UserError;
import dev.walsh.data.Dataset;
import dev.walsh.data.Manifest;
import dev.walsh.data.Split;
import dev.walsh.text.Tokenizer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The texts of a study, opened: one to train on, and some to validate on. */
public final class Corpora implements AutoCloseable {
  private final List<Dataset> opened = new ArrayList<>();
  private final Dataset train;
  private final Path trainFolder;
  private final Map<String, Split> validation = new LinkedHashMap<>();
  private final Map<String, HeldOut> heldOut = new LinkedHashMap<>();

  /**
   * What is known of them.
   *
   * @param tokenizer its name
   * @param trainTokens in the text that is trained on
   * @param validation each text that is validated on, the one that curves are drawn of first
   */
  public record Facts(String tokenizer, long trainTokens, Map<String, HeldOut> validation) {
    public Facts {
      validation = new LinkedHashMap<>(validation);
    }

    /** The name of the text that curves are drawn of. */
    public String main() {
      return validation.keySet().iterator().next();
    }
  }

  /**
   * A text to validate on.
   *
   * @param tokens in all of it
   * @param tokensAByte null where the dataset does not tell
   */
  public record HeldOut(long tokens, @Nullable Double tokensAByte) {}

  private Corpora(Path trainFolder) {
    this.trainFolder = trainFolder;
    train = open(trainFolder);
  }

  /** Opens datasets, the validation's by name. All must be in the tokens of one tokenizer. */
  public static Corpora open(Path trainFolder, Map<String, Path> validation) {
    var corpora = new Corpora(trainFolder);
    try {
      if (corpora.train.train().tokens() == 0) throw new UserError("The dataset " + trainFolder + " has no tokens to train on");
      validation.forEach(corpora::add);
      return corpora;
    } catch (RuntimeException e) {
      corpora.close();
      throw e;
    }
  }

  private Dataset open(Path folder) {
    var dataset = Dataset.open(folder);
    opened.add(dataset);
    return dataset;
  }

  private void add(String name, Path folder) {
    var dataset = open(folder);
    if (!dataset.tokenizer().name().equals(tokenizer().name())) {
      throw new UserError(
          "The dataset " + folder + " is in tokens of " + dataset.tokenizer().name() + ", and " + trainFolder + " in those of "
              + tokenizer().name() + "; prepare both with one --tokenizer");
    }
    boolean isHeldOut = dataset.val().tokens() > 0;
    if (!isHeldOut && folder.equals(trainFolder)) {
      throw new UserError("The dataset " + folder + " holds nothing out to validate on; prepare it with a --val-fraction above 0");
    }
    var split = isHeldOut ? dataset.val() : dataset.train();
    validation.put(name, split);
    heldOut.put(name, new HeldOut(split.tokens(), tokensAByte(dataset.manifest(), isHeldOut)));
  }

  private static @Nullable Double tokensAByte(@Nullable Manifest manifest, boolean isHeldOut) {
    if (manifest == null) return null;
    var part = isHeldOut ? manifest.val() : manifest.train();
    return part.bytes() == 0 ? null : (double) part.tokens() / part.bytes();
  }

  public Tokenizer tokenizer() {
    return train.tokenizer();
  }

  Split train() {
    return train.train();
  }

  Path trainFolder() {
    return trainFolder;
  }

  Map<String, Split> validation() {
    return validation;
  }

  public Facts facts() {
    return new Facts(tokenizer().name(), train().tokens(), heldOut);
  }

  @Override
  public void close() {
    opened.forEach(Dataset::close);
  }
}
