/**
 * Sizes that are unknown while a file is checked without its data. Each gets a large prime of its own as witness, so that shapes can
 * be compared and computed as usual, and messages print the size by its name.
 */

/** Primes above 100,000: three of them multiplied stay below 2^53. */
const PRIMES = [
  100003, 100019, 100043, 100049, 100057, 100069, 100103, 100109, 100129, 100151, 100153, 100169, 100183, 100189,
  100193, 100207, 100213, 100237, 100267, 100271, 100279, 100291, 100297, 100313, 100333, 100343, 100357, 100361,
  100363, 100379, 100391, 100393, 100403, 100411, 100417, 100447, 100459, 100469, 100483, 100493, 100501, 100511,
  100517, 100519, 100523,
];

export class Witnesses {
  private readonly names = new Map<number, string>();

  /** A witness for the unknown size called `name`; undefined where there are too many. */
  fresh(name: string): number | undefined {
    const prime = PRIMES[this.names.size];
    if (prime !== undefined) this.names.set(prime, name);
    return prime;
  }

  /** Whether a size contains an unknown one as a factor. */
  involved(size: number): boolean {
    for (const prime of this.names.keys()) if (size !== 0 && size % prime === 0) return true;
    return false;
  }

  /** True where any size of the program is unknown. */
  get any(): boolean {
    return this.names.size > 0;
  }

  /** `N`, `2 * N`, or the number. */
  text(size: number): string {
    for (const [prime, name] of this.names) {
      if (size === prime) return name;
      if (size !== 0 && size % prime === 0) return `${this.text(size / prime)} * ${name}`;
    }
    return String(size);
  }
}
