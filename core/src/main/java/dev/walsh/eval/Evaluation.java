package dev.walsh.eval;

import dev.walsh.config.UserError;
import dev.walsh.measure.Progress;
import dev.walsh.model.Gpt;
import dev.walsh.tensor.Device;
import dev.walsh.text.Tokenizer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;

/** What a model reaches on tasks. */
public final class Evaluation {
  /** White space between a context and what is scored behind it. */
  static final String DELIMITER = " ";

  private Evaluation() {}

  /**
   * Scores a model.
   *
   * @param model in any weights, also the ones being trained
   * @param device where its weights are
   * @param progress moves on by one for each of the tasks' {@link Task#requests}
   * @return a result for each task
   * @throws UserError where the tokenizer is not the model's, or a choice or continuation adds no token to its context
   */
  public static List<TaskResult> run(Gpt model, Tokenizer tokenizer, Device device, List<Task> tasks, Progress progress) {
    return run(new LanguageModel(model, tokenizer, device), tasks, progress, () -> false, _ -> {});
  }

  /**
   * Scores a model, says what it said of each item, and stops when told.
   *
   * @param stop asked between batches
   * @param items receives every item, in the order of the tasks
   * @throws java.util.concurrent.CancellationException where {@code stop} says so
   */
  public static List<TaskResult> run(LanguageModel model, List<Task> tasks, Progress progress, BooleanSupplier stop,
      Consumer<ItemResult> items) {
    var results = new ArrayList<TaskResult>();
    for (var task : tasks) {
      progress.note(task.name());
      results.add(run(model, task, progress, stop, items));
    }
    return results;
  }

  private static TaskResult run(LanguageModel model, Task task, Progress progress, BooleanSupplier stop, Consumer<ItemResult> items) {
    var answers = answers(model, task, progress, stop);
    var sets = new ArrayList<List<Scored>>();
    int at = 0;
    for (var set : task.sets()) {
      var scored = new ArrayList<Scored>();
      for (var item : set.items()) {
        int count = requests(item).size();
        scored.add(new Scored(item, answers.subList(at, at + count)));
        at += count;
      }
      sets.add(scored);
    }
    var metrics = Metric.of(task.sets().getFirst().items().getFirst(), task.normalised());
    for (int i = 0; i < sets.size(); i++) {
      for (var scored : sets.get(i)) items.accept(result(task, task.sets().get(i), scored, metrics));
    }
    int truncated = (int) sets.stream().flatMap(List::stream).filter(Scored::truncated).count();
    return new TaskResult(task.name(), task.version(), task.items(), truncated, scores(task, sets, metrics));
  }

  /** In the order of the items, and of the choices of each. */
  private static List<LogLikelihood> answers(LanguageModel model, Task task, Progress progress, BooleanSupplier stop) {
    var all = task.sets().stream().flatMap(set -> set.items().stream()).toList();
    if (all.getFirst() instanceof Item.Text) {
      return model.rolling(all.stream().map(item -> ((Item.Text) item).text()).toList(), progress, stop);
    }
    try {
      return model.logLikelihoods(all.stream().flatMap(item -> requests(item).stream()).toList(), progress, stop);
    } catch (NothingToScoreException error) {
      throw new UserError(place(task, error.request()) + " adds no token to its context, so that there is nothing to score; take the item"
          + " out or rewrite it", error);
    }
  }

  /** What is scored for an item; a text is one request, too, but none with a context. */
  private static List<LanguageModel.Request> requests(Item item) {
    return switch (item) {
      case Item.Choices question -> question.choices().stream()
          .map(choice -> new LanguageModel.Request(question.context(), DELIMITER + choice)).toList();
      case Item.Continuation end -> List.of(new LanguageModel.Request(end.context(), DELIMITER + end.continuation()));
      case Item.Text whole -> List.of(new LanguageModel.Request("", whole.text()));
    };
  }

  private static String place(Task task, int request) {
    int before = 0;
    for (var set : task.sets()) {
      for (var item : set.items()) {
        int count = requests(item).size();
        if (request < before + count) {
          var what = item instanceof Item.Choices ? "choice " + (request - before) : "the continuation";
          return "Line " + item.line() + " of " + set.file() + ": " + what;
        }
        before += count;
      }
    }
    throw new IllegalArgumentException("no request " + request);
  }

  private static LinkedHashMap<String, Score> scores(Task task, List<List<Scored>> sets, List<Metric> metrics) {
    var scores = new LinkedHashMap<String, Score>();
    for (var metric : metrics) scores.put(metric.name(), metric.of(sets));
    if (sets.size() == 1) return scores;
    for (int i = 0; i < sets.size(); i++) {
      for (var metric : metrics) scores.put(metric.name() + "/" + task.sets().get(i).name(), metric.of(List.of(sets.get(i))));
    }
    return scores;
  }

  private static ItemResult result(Task task, Task.ItemSet set, Scored scored, List<Metric> metrics) {
    var own = new LinkedHashMap<String, Double>();
    for (var metric : metrics) own.put(metric.name(), metric.of(scored));
    var answers = scored.answers();
    return new ItemResult(task.name(), set.name(), scored.item().line(), scored.truncated(),
        answers.stream().map(LogLikelihood::nats).toList(), answers.stream().map(LogLikelihood::greedy).toList(),
        answers.stream().map(LogLikelihood::tokens).toList(), scored.bytes(), own);
  }
}
