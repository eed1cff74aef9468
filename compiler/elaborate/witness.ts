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

  /** Whether a size was computed from an unknown one (`among`: the witnesses that count): it contains one as a factor, or is near a small multiple of one. */
  involved(size: number, among: Iterable<number> = this.names.keys()): boolean {
    return [...among].some((prime) => size !== 0 && (size % prime === 0 || offset(size, prime) !== undefined));
  }

  /** `N`, `2 * N`, `N - 1`, or the number. */
  text(size: number): string {
    for (const [prime, name] of this.names) {
      if (size === prime) return name;
      if (size !== 0 && size % prime === 0) return `${this.text(size / prime)} * ${name}`;
    }
    for (const prime of this.names.keys()) {
      const rest = offset(size, prime);
      if (rest !== undefined) return `${this.text(size - rest)} ${rest < 0 ? '-' : '+'} ${Math.abs(rest)}`;
    }
    return String(size);
  }
}

/** What is left of a size beside the nearest small multiple of a witness, if little. */
function offset(size: number, prime: number): number | undefined {
  const times = Math.round(size / prime);
  const rest = size - times * prime;
  return times >= 1 && times <= 8 && Math.abs(rest) <= 16 ? rest : undefined;
}
