package dev.walsh.report;

import java.util.List;
import java.util.stream.Collectors;

/** Blocks side by side where the page is wide enough, below each other where it is not. */
public record Columns(List<Block> blocks) implements Block {
  public Columns {
    blocks = List.copyOf(blocks);
  }

  public static Columns of(Block... blocks) {
    return new Columns(List.of(blocks));
  }

  @Override
  public String toHtml() {
    return blocks.stream().map(Block::toHtml).collect(Collectors.joining("", "<div class=\"columns\">\n", "</div>\n"));
  }
}
