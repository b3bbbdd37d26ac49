package dev.walsh.ranks;

import dev.walsh.config.UserError;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

final class RendezvousTest {
  private static final Rendezvous SECOND = new Rendezvous(1, 2, "10.0.0.1", 29500);

  @Test
  void readsWhatItWrites() {
    assertThat(Rendezvous.of(SECOND.environment())).isEqualTo(SECOND);
    assertThat(Rendezvous.of(Map.of()).isAlone()).isTrue();
    assertThat(Rendezvous.of(Map.of("WORLD_SIZE", "1", "MASTER_ADDR", "elsewhere")).isAlone()).isTrue();
  }

  @Test
  void whatIsMissingOrWrongIsSaid() {
    for (var name : SECOND.environment().keySet()) {
      var environment = new HashMap<>(SECOND.environment());
      environment.remove(name);
      refused(environment, name + " is missing; set RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT");
    }
    refused(with("RANK", "2"), "RANK is 2, but WORLD_SIZE is 2: number the processes from 0 to 1");
    refused(with("WORLD_SIZE", "0"), "WORLD_SIZE is 0");
    refused(with("WORLD_SIZE", "two"), "WORLD_SIZE is 'two'; give a whole number");
    refused(with("MASTER_PORT", "70000"), "MASTER_PORT is 70000; give a free port from 1 to 65535");
  }

  private static Map<String, String> with(String name, String value) {
    var environment = new HashMap<>(SECOND.environment());
    environment.put(name, value);
    return environment;
  }

  private static void refused(Map<String, String> environment, String said) {
    assertThatThrownBy(() -> Rendezvous.of(environment)).isInstanceOf(UserError.class).hasMessageContaining(said);
  }
}
