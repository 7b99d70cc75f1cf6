/** Fulfils once `attempt` does; fails as it last failed where that takes more than a few seconds. */
export async function eventually(attempt: () => void | Promise<void>, limitMs = 3_000): Promise<void> {
  const giveUpAtMs = performance.now() + limitMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() > giveUpAtMs) throw error;
      await Bun.sleep(20);
    }
  }
}
