package dev.walsh.report;

import dev.walsh.files.Disk;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** A part of a page, whose tables and plots are files of their own, too. */
public record Section(String heading, List<Block> blocks) {
  public Section {
    blocks = List.copyOf(blocks);
  }

  public static Section of(String heading, Block... blocks) {
    return new Section(heading, List.of(blocks));
  }

  /** The tables as CSV and the plots as SVG, by the names of their files. */
  public Map<String, String> files() {
    var files = new LinkedHashMap<String, String>();
    blocks.forEach(block -> add(files, block));
    return files;
  }

  /** Writes those files into a folder. */
  public void writeFiles(Path folder) {
    files().forEach((name, text) -> Disk.write(folder.resolve(name), text.getBytes(StandardCharsets.UTF_8)));
  }

  private void add(Map<String, String> files, Block block) {
    switch (block) {
      case Table table -> files.put(name(files, table.caption(), ".csv"), table.toCsv());
      case Plot plot -> files.put(name(files, plot.title(), ".svg"), plot.toSvg());
      case HeatMap map -> files.put(name(files, map.title(), ".svg"), map.toSvg());
      case Columns columns -> columns.blocks().forEach(inner -> add(files, inner));
      default -> {}
    }
  }

  private String name(Map<String, String> taken, String title, String suffix) {
    // The caption's first clause; the rest of it explains.
    var words = (heading + " " + title.replaceFirst("[,;:.(].*", "")).toLowerCase(Locale.ROOT).replaceAll("[^a-z0-9]+", "-").replaceAll(
        "^-|-$", "");
    var name = words + suffix;
    for (int nth = 2; taken.containsKey(name); nth++) name = words + "-" + nth + suffix;
    return name;
  }
}
