package dev.walsh.report;

import java.io.StringReader;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import javax.xml.parsers.DocumentBuilderFactory;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.Node;
import org.xml.sax.InputSource;
import org.xml.sax.helpers.DefaultHandler;

/** Reads markup strictly, as XML: what is not well-formed fails. */
final class Xml {
  private Xml() {}

  static Document parse(String markup) {
    try {
      var factory = DocumentBuilderFactory.newInstance();
      factory.setFeature("http://apache.org/xml/features/nonvalidating/load-external-dtd", false);
      var builder = factory.newDocumentBuilder();
      builder.setErrorHandler(new DefaultHandler());
      return builder.parse(new InputSource(new StringReader(markup)));
    } catch (Exception e) {
      throw new AssertionError("not well-formed: " + e.getMessage(), e);
    }
  }

  static List<Element> elements(Document document, String name) {
    return nodes(document, name).map(Element.class::cast).toList();
  }

  static List<Element> withClass(Document document, String htmlClass) {
    return nodes(document, "*").map(Element.class::cast).filter(e -> List.of(e.getAttribute("class").split(" ")).contains(htmlClass))
        .toList();
  }

  /** The values behind all numbers shown, in document order. */
  static List<Double> values(Document document) {
    return nodes(document, "*").map(Element.class::cast).filter(e -> e.hasAttribute("data-value"))
        .map(e -> Double.valueOf(e.getAttribute("data-value"))).toList();
  }

  private static Stream<Node> nodes(Document document, String name) {
    var found = document.getElementsByTagName(name);
    return IntStream.range(0, found.getLength()).mapToObj(found::item);
  }
}
