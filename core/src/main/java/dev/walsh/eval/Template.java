package dev.walsh.eval;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** How the fields of a file become an item: texts in which each {@code {name}} stands for a field. */
@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "kind")
@JsonSubTypes({@JsonSubTypes.Type(name = "choices", value = Template.Choices.class),
    @JsonSubTypes.Type(name = "continuation", value = Template.Continuation.class),
    @JsonSubTypes.Type(name = "text", value = Template.Text.class)})
sealed interface Template {
  Item item(Fields fields);

  /** The fields that it takes. */
  List<String> fields();

  /**
   * Makes a question.
   *
   * @param choices a template each, or the name of a field that lists them
   * @param gold the field with the index of the right choice, or that index
   * @param normalised whether choices are compared by their log-likelihood a byte, too
   */
  record Choices(String context, List<String> choices, String gold, boolean normalised) implements Template {
    private static final int FEWEST = 2;

    @Override
    public Item item(Fields fields) {
      var texts = isList() ? fields.texts(choices.getFirst()) : choices.stream().map(fields::fill).toList();
      if (texts.isEmpty()) throw fields.wrong(": the list of choices is empty; give at least " + FEWEST);
      if (texts.size() < FEWEST) throw fields.wrong(" has one choice; give at least " + FEWEST);
      int empty = texts.indexOf("");
      if (empty >= 0) throw fields.wrong(": choice " + empty + " is empty, so that nothing of it can be scored; write it out");
      int right = hasGoldField() ? fields.number(gold) : Integer.parseInt(gold);
      if (right < 0 || right >= texts.size()) {
        throw fields.wrong(": \"" + gold + "\" is " + right + ", but choices are counted from 0 to " + (texts.size() - 1)
            + "; correct it");
      }
      return new Item.Choices(fields.line(), fields.fill(context), texts, right);
    }

    private boolean isList() {
      return choices.size() == 1;
    }

    private boolean hasGoldField() {
      return !Character.isDigit(gold.charAt(0));
    }

    @Override
    public List<String> fields() {
      var names = new ArrayList<>(Fields.names(context));
      if (isList()) {
        names.addAll(choices);
      } else {
        choices.forEach(choice -> names.addAll(Fields.names(choice)));
      }
      if (hasGoldField()) names.add(gold);
      return names;
    }
  }

  /** Makes a beginning and its end. */
  record Continuation(String context, String continuation) implements Template {
    @Override
    public Item item(Fields fields) {
      var end = fields.fill(continuation);
      if (end.isEmpty()) throw fields.wrong(": the continuation is empty, so that there is nothing to score; write it out");
      return new Item.Continuation(fields.line(), fields.fill(context), end);
    }

    @Override
    public List<String> fields() {
      return Stream.of(context, continuation).flatMap(template -> Fields.names(template).stream()).toList();
    }
  }

  /** Makes a text. */
  record Text(String text) implements Template {
    @Override
    public Item item(Fields fields) {
      var whole = fields.fill(text);
      if (whole.isEmpty()) throw fields.wrong(": the text is empty, so that there is nothing to score; take the line out");
      return new Item.Text(fields.line(), whole);
    }

    @Override
    public List<String> fields() {
      return Fields.names(text);
    }
  }
}
