package dev.walsh.eval;

import java.util.Collection;
import java.util.List;
import java.util.function.DoubleUnaryOperator;
import java.util.function.ToDoubleFunction;
import org.jspecify.annotations.Nullable;

/** A number that items have, each by itself and all together. */
sealed interface Metric {
  String name();

  /** Of one item alone. */
  double of(Scored item);

  /** Of the sets of a task, none of them empty. */
  Score of(List<List<Scored>> sets);

  /** Those of a task with items of the kind of {@code item}. */
  static List<Metric> of(Item item, boolean normalised) {
    return switch (item) {
      case Item.Choices _ -> {
        var plain = new Mean("acc", scored -> scored.right(false));
        yield normalised ? List.of(plain, new Mean("acc_norm", scored -> scored.right(true))) : List.of(plain);
      }
      case Item.Continuation _ -> List.of(new Mean("acc", Scored::greedy), new Rate("perplexity", _ -> 1, mean -> Math.exp(-mean)));
      case Item.Text _ -> List.of(new Rate("word_perplexity", Metric::words, mean -> Math.exp(-mean)),
          new Rate("byte_perplexity", Metric::bytes, mean -> Math.exp(-mean)),
          new Rate("bits_per_byte", Metric::bytes, mean -> -mean / Math.log(2)));
    };
  }

  private static double words(Scored scored) {
    return scored.item() instanceof Item.Text whole ? Encoder.words(whole.text()) : Double.NaN;
  }

  private static double bytes(Scored scored) {
    return scored.bytes().getFirst();
  }

  /** The mean over items; over several sets, the mean of their means, with the error that the items inside of them show. */
  record Mean(String name, ToDoubleFunction<Scored> value) implements Metric {
    @Override
    public double of(Scored item) {
      return value.applyAsDouble(item);
    }

    @Override
    public Score of(List<List<Scored>> sets) {
      var values = sets.stream().map(set -> set.stream().mapToDouble(value).toArray()).toList();
      double mean = Statistics.mean(values.stream().mapToDouble(Statistics::mean).toArray());
      double error = values.size() == 1 ? Statistics.standardError(values.getFirst()) : Statistics.pooledError(values);
      return new Score(mean, error, chance(sets));
    }

    private static @Nullable Double chance(List<List<Scored>> sets) {
      if (!(sets.getFirst().getFirst().item() instanceof Item.Choices)) return null;
      return sets.stream().mapToDouble(set -> set.stream().mapToDouble(scored -> 1.0 / scored.answers().size()).average().orElseThrow())
          .average().orElseThrow();
    }
  }

  /** A function of the log-likelihood a unit, all items taken together. */
  record Rate(String name, ToDoubleFunction<Scored> units, DoubleUnaryOperator function) implements Metric {
    @Override
    public double of(Scored item) {
      return function.applyAsDouble(item.nats() / units.applyAsDouble(item));
    }

    @Override
    public Score of(List<List<Scored>> sets) {
      var items = sets.stream().flatMap(Collection::stream).toList();
      double[] nats = items.stream().mapToDouble(Scored::nats).toArray();
      double[] weights = items.stream().mapToDouble(units).toArray();
      double value = function.applyAsDouble(Statistics.mean(nats) / Statistics.mean(weights));
      return new Score(value, Statistics.bootstrapError(nats, weights, function), null);
    }
  }
}
