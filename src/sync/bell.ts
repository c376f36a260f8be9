/** Rings when there may be something to tell. Who answers it stands above, and is not known here. */
export type Bell = {
  ring(): void;
  onRing(listener: () => void): void;
};

export function createBell(): Bell {
  const listeners: (() => void)[] = [];
  return {
    ring() {
      for (const listener of listeners) listener();
    },
    onRing: (listener) => void listeners.push(listener),
  };
}
