package dev.walsh.generate;

import dev.walsh.config.AttentionKind;
import dev.walsh.config.ModelConfig;
import dev.walsh.config.Projection;
import dev.walsh.config.UserError;
import dev.walsh.generate.Generation.Ending;
import dev.walsh.model.DecodeState;
import dev.walsh.model.Gpt;
import dev.walsh.model.KvCache;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.LivePointers;
import dev.walsh.tensor.Memory;
import dev.walsh.tensor.Scope;
import dev.walsh.tensor.Weights;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Flow;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Scalar;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

final class GeneratorTest {
  private static final ModelConfig SMALL = new ModelConfig(2, 48, 4, 64, 80, 61, Projection.named("hadamard-folded"));

  private Weights weights = new Weights(Device.CPU, Dtype.F32, 5);
  private Gpt model = new Gpt(SMALL, weights);

  @BeforeEach
  void attend() {
    // Initial weights hardly attend, and then say one token again and again.
    try (var scope = Scope.withoutGradients()) {
      for (var w : weights.all()) if (w.name().endsWith("weight")) w.value().mul_(new Scalar(6));
    }
  }

  @AfterEach
  void close() {
    weights.close();
  }

  private KvCache cache(int places, int tokens) {
    return KvCache.of(model, places, tokens, Long.MAX_VALUE);
  }

  private Generator generator(KvCache cache) {
    return new Generator(model, cache, 8, 1000, true);
  }

  private static Request greedy(int tokens, int... prompt) {
    return new Request(prompt, tokens, -1, Sampling.GREEDY, 0);
  }

  private static int[] prompt(Random random, int length) {
    return random.ints(length, 0, SMALL.vocabulary()).toArray();
  }

  /** The likeliest tokens after a prompt, each from the whole text anew. */
  private List<Integer> expected(int tokens, int... prompt) {
    var text = new ArrayList<>(Arrays.stream(prompt).boxed().toList());
    try (var scope = Scope.withoutGradients()) {
      for (int i = 0; i < tokens; i++) {
        var ids = Memory.tensor(text.stream().mapToLong(Integer::longValue).toArray(), 1, text.size());
        var logits = model.logits(model.hidden(ids.to(model.device().options(Dtype.I64), false, false, null))).select(1, text.size() - 1L);
        text.add((int) logits.narrow(1, 0, SMALL.vocabulary()).argmax().item_long());
      }
    }
    return text.subList(prompt.length, text.size());
  }

  @Test
  void textsOfAllLengthsAtOnceAreWhatEachIsAlone() throws InterruptedException {
    textsAtOnce(false);
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void soTheyAreOnTheGpu(boolean graphs) throws InterruptedException {
    assumeTrue(Device.hasCuda(), "there is no GPU here");
    weights.close();
    weights = new Weights(Device.CUDA, Dtype.F32, 5);
    model = new Gpt(SMALL, weights);
    attend();
    textsAtOnce(graphs);
  }

  /** Texts enter and leave, so that their states move to other rows' slots, and others' prompts are read in between. */
  @ParameterizedTest
  @ValueSource(strings = {"hla:2x8", "hla:2x6@map=exp", "hla:1x8@rope=after", "cosformer", "softmax*1/hla:2x8*1"})
  void soTheyAreOfLinearAttention(String name) throws InterruptedException {
    weights.close();
    weights = new Weights(Device.CPU, Dtype.F32, 5);
    model = new Gpt(SMALL.with(AttentionKind.named(name)), weights);
    attend();
    textsAtOnce(true);
  }

  @ParameterizedTest
  @CsvSource({"hla:2x8,true", "hla:2x8,false", "hla:2x6@map=exp,true", "based,true", "softmax*1/hla:2x8*1,true", "cosformer,true"})
  void soTheyAreOfLinearAttentionOnTheGpu(String name, boolean graphs) throws InterruptedException {
    assumeTrue(Device.hasCuda(), "there is no GPU here");
    weights.close();
    weights = new Weights(Device.CUDA, Dtype.F32, 5);
    model = new Gpt(SMALL.with(AttentionKind.named(name)), weights);
    attend();
    textsAtOnce(graphs);
  }

  private void textsAtOnce(boolean graphs) throws InterruptedException {
    var random = new Random(1);
    var requests = IntStream.range(0, 30).mapToObj(i -> greedy(1 + i, prompt(random, 1 + random.nextInt(50)))).toList();
    try (var cache = DecodeState.of(model, 7, 400, Long.MAX_VALUE); var generator = new Generator(model, cache, 8, 1000, graphs)) {
      var generations = new ArrayList<Generation>();
      for (var request : requests) generations.add(generator.submit(request));
      for (int i = 0; i < requests.size(); i++) {
        var result = generations.get(i).result().join();
        var request = requests.get(i);
        assertThat(Arrays.stream(result.tokens()).boxed().toList()).as("text %d", i)
            .isEqualTo(expected(request.tokens(), request.prompt()));
        assertThat(result.ending()).isEqualTo(Ending.LENGTH);
      }
      assertThat(cache.bytesInUse()).isZero();
    }
  }

  @Test
  void linearAttentionGoesOnBeyondTheContextAndSoftmaxDoesNot() throws InterruptedException {
    var request = greedy(300, prompt(new Random(4), 100));
    assertThatThrownBy(() -> request.check(model.config())).isInstanceOf(UserError.class).hasMessageContaining("the model sees 80");
    var linear = new Weights(Device.CPU, Dtype.F32, 5);
    var unbounded = new Gpt(SMALL.with(new AttentionKind.Hadamard(2, 8)), linear);
    try (var state = DecodeState.of(unbounded, 2, 160, Long.MAX_VALUE); var generator = new Generator(unbounded, state, 8, 10, true)) {
      var result = generator.submit(request).result().join();
      assertThat(result.tokens()).hasSize(300);
      assertThat(result.ending()).isEqualTo(Ending.LENGTH);
    } finally {
      linear.close();
    }
  }

  @Test
  void aTextDependsOnItsSeedAndNumberAndNotOnTheOthers() throws InterruptedException {
    var sampling = new Sampling(1.5, 20, 0.95, 1.2, 7);
    var prompt = prompt(new Random(2), 20);
    try (var cache = cache(16, 1280); var generator = generator(cache)) {
      var alone = generator.submit(new Request(prompt, 40, -1, sampling, 3)).result().join().tokens();
      var others = IntStream.range(0, 12).mapToObj(i -> new Request(prompt, 40, -1, sampling, i)).toList();
      var generations = new ArrayList<Generation>();
      for (var request : others) generations.add(generator.submit(request));
      var texts = generations.stream().map(g -> g.result().join().tokens()).toList();
      assertThat(texts.get(3)).isEqualTo(alone);
      assertThat(texts.stream().map(Arrays::toString).distinct()).hasSize(12);
    }
  }

  @Test
  void theStopTokenEndsATextAndTheContextDoes() throws InterruptedException {
    var prompt = prompt(new Random(3), 30);
    var tokens = expected(51, prompt);
    int stop = tokens.get(9);
    try (var cache = cache(4, 320); var generator = generator(cache)) {
      var stopped = generator.submit(new Request(prompt, 40, stop, Sampling.GREEDY, 0)).result().join();
      assertThat(stopped.ending()).isEqualTo(Ending.STOP);
      assertThat(stopped.tokens()).hasSize(tokens.indexOf(stop) + 1).endsWith(stop);
      var full = generator.submit(greedy(1000, prompt)).result().join();
      assertThat(full.ending()).isEqualTo(Ending.CONTEXT);
      // The last of them need not be seen any more.
      assertThat(Arrays.stream(full.tokens()).boxed().toList()).isEqualTo(tokens);
      var whole = generator.submit(greedy(5, prompt(new Random(3), 80))).result().join();
      assertThat(whole.tokens()).hasSize(1);
    }
  }

  @Test
  void eachBadRequestIsRefusedAlone() throws InterruptedException {
    try (var cache = cache(2, 80); var generator = generator(cache)) {
      assertThatThrownBy(() -> generator.submit(greedy(5))).isInstanceOf(UserError.class).hasMessageStartingWith("The prompt is empty");
      assertThatThrownBy(() -> generator.submit(greedy(5, 1, 61)))
          .hasMessage("Token 1 of the prompt is 61; the model's tokens are 0 to 60");
      assertThatThrownBy(() -> generator.submit(greedy(5, -1))).hasMessageContaining("is -1");
      assertThatThrownBy(() -> generator.submit(greedy(0, 1))).hasMessageContaining("must be positive");
      assertThatThrownBy(() -> generator.submit(greedy(1, new int[81]))).hasMessageContaining("has 81 tokens and the model sees 80");
      assertThat(generator.submit(greedy(5, 1, 2)).result().join().tokens()).hasSize(5);
    }
  }

  @ParameterizedTest
  @CsvSource({"-0.1,0,1,1,the temperature is -0.1", "NaN,0,1,1,the temperature is NaN", "1,-1,1,1,top-k is -1", "1,0,0,1,top-p is 0.0",
      "1,0,1.01,1,top-p is 1.01", "1,0,NaN,1,top-p is NaN", "1,0,1,0,the repetition penalty is 0.0"})
  void settingsOutOfRangeAreRefused(double temperature, int topK, double topP, double penalty, String said) {
    assertThatThrownBy(() -> new Sampling(temperature, topK, topP, penalty, 0)).isInstanceOf(UserError.class).hasMessageStartingWith(said);
  }

  @Test
  void aModelThatComputesNoNumbersFailsThatText() throws InterruptedException {
    try (var scope = Scope.withoutGradients(); var cache = cache(2, 160); var generator = generator(cache)) {
      weights.all().getLast().value().fill_(new Scalar(Double.NaN));
      var failed = generator.submit(greedy(5, 1, 2)).result();
      assertThatThrownBy(failed::join).isInstanceOf(CompletionException.class).cause().isInstanceOf(UserError.class)
          .hasMessageContaining("not finite numbers");
      weights.all().getLast().value().fill_(new Scalar(1));
      assertThat(generator.submit(greedy(5, 1, 2)).result().join().tokens()).hasSize(5);
    }
  }

  /** A reader who asks for so many tokens and no more. */
  private static final class Reader implements Flow.Subscriber<Integer> {
    private Flow.@Nullable Subscription subscription;
    private final long wanted;
    private final boolean cancels;
    private final List<Integer> read = new ArrayList<>();
    private final CountDownLatch end = new CountDownLatch(1);

    Reader(long wanted, boolean cancels) {
      this.wanted = wanted;
      this.cancels = cancels;
    }

    @Override
    public void onSubscribe(Flow.Subscription s) {
      subscription = s;
      s.request(wanted);
    }

    @Override
    public void onNext(Integer token) {
      read.add(token);
      if (cancels && read.size() == wanted) requireNonNull(subscription).cancel();
    }

    @Override
    public void onError(Throwable error) {
      end.countDown();
    }

    @Override
    public void onComplete() {
      end.countDown();
    }
  }

  @Test
  void readersReadAndWhoStopsReadingHoldsUpNobody() throws InterruptedException {
    var prompt = prompt(new Random(4), 10);
    try (var cache = cache(3, 240); var generator = generator(cache)) {
      var all = new Reader(Long.MAX_VALUE, false);
      var few = new Reader(3, false);
      var leaves = new Reader(5, true);
      var texts = List.of(generator.submit(greedy(60, prompt), all), generator.submit(greedy(60, prompt), few),
          generator.submit(greedy(60, prompt), leaves));
      assertThat(texts.get(0).result().join().tokens()).hasSize(60);
      assertThat(texts.get(1).result().join().tokens()).hasSize(60);
      // The reader leaves at some later time than his fifth token; all may be made by then.
      assertThat(texts.get(2).result().join().tokens().length).isBetween(5, 60);
      assertThat(all.end.await(10, TimeUnit.SECONDS)).isTrue();
      assertThat(all.read).isEqualTo(expected(60, prompt));
      assertThat(few.read).hasSizeLessThanOrEqualTo(3);
      requireNonNull(few.subscription).request(Long.MAX_VALUE);
      assertThat(few.end.await(10, TimeUnit.SECONDS)).isTrue();
      assertThat(few.read).isEqualTo(all.read);
    }
  }

  @Test
  void closingEndsWhatIsUnderWay() throws InterruptedException {
    var cache = cache(2, 160);
    var generator = generator(cache);
    var texts = new ArrayList<Generation>();
    for (int i = 0; i < 5; i++) texts.add(generator.submit(greedy(70, 1, 2)));
    generator.close();
    for (var text : texts) assertThat(text.result()).isDone();
    assertThat(generator.submit(greedy(5, 1)).result()).isCompletedExceptionally();
    assertThat(cache.bytesInUse()).isZero();
    cache.close();
  }

  @Test
  void hundredsOfTextsWithRandomCancellationsLeaveNothingBehind() throws InterruptedException {
    try (var cache = cache(9, 300); var generator = generator(cache)) {
      soak(generator, 60, 1);
      long before = LivePointers.count();
      soak(generator, 400, 2);
      assertThat(LivePointers.count()).isLessThanOrEqualTo(before + 3);
      assertThat(cache.bytesInUse()).isZero();
    }
  }

  private static void soak(Generator generator, int count, long seed) throws InterruptedException {
    var random = new Random(seed);
    var texts = new ArrayList<Generation>();
    for (int i = 0; i < count; i++) {
      var request = new Request(prompt(random, 1 + random.nextInt(60)), 1 + random.nextInt(20), random.nextInt(SMALL.vocabulary()),
          new Sampling(random.nextDouble() * 2, random.nextInt(9), 0.5 + random.nextDouble() / 2, 1 + random.nextInt(2) * 0.3, i), i);
      texts.add(generator.submit(request, random.nextBoolean() ? new Reader(random.nextInt(1, 9), random.nextBoolean()) : null));
      if (random.nextInt(3) == 0) texts.get(random.nextInt(texts.size())).cancel();
    }
    for (var text : texts) assertThat(text.result().join().tokens().length).isLessThanOrEqualTo(20);
  }
}
