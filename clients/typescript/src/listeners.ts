/**
 * Who wants to know; what a listener throws is reported as uncaught and stops nobody else.
 */
export class Listeners<Value> {
  private readonly listeners = new Set<(value: Value) => void>();

  /** Call back with each value, until the returned function is called. */
  add(listener: (value: Value) => void): () => void {
    this.listeners.add(listener);
    return () => {
      this.listeners.delete(listener);
    };
  }

  tell(value: Value): void {
    for (const listener of [...this.listeners]) {
      try {
        listener(value);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
