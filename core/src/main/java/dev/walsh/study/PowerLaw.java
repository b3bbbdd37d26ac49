package dev.walsh.study;

import java.util.List;

/** y = coefficient · x^exponent, fitted by least squares to the logarithms. */
public record PowerLaw(double coefficient, double exponent) {
  /** A point that the law is to pass by. */
  public record Point(double x, double y) {}

  /** At least two points of different x, all positive. */
  public static PowerLaw fit(List<Point> points) {
    double meanX = points.stream().mapToDouble(p -> Math.log(p.x)).average().orElse(Double.NaN);
    double meanY = points.stream().mapToDouble(p -> Math.log(p.y)).average().orElse(Double.NaN);
    double covariance = 0;
    double variance = 0;
    for (var p : points) {
      double dx = Math.log(p.x) - meanX;
      covariance += dx * (Math.log(p.y) - meanY);
      variance += dx * dx;
    }
    double exponent = covariance / variance;
    return new PowerLaw(Math.exp(meanY - exponent * meanX), exponent);
  }
}
