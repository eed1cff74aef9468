/** "Did you mean": the nearest names by edit distance, within one namespace. */

/** Optimal string alignment distance (insert, delete, substitute, swap of neighbours), cut off past `limit`. */
export function editDistance(a: string, b: string, limit = 4): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min(rows[i - 1][j] + 1, row[j - 1] + 1, rows[i - 1][j - 1] + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, rows[i - 2][j - 2] + 1);
      row.push(best);
    }
    rows.push(row);
  }
  return rows[a.length][b.length];
}

/** The nearest candidate to `name`, or undefined where none is near enough to be a likely slip. */
export function nearest(name: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  // One letter for another is no slip of a one-letter name; 4 is where editDistance cuts off.
  let score = name.length === 1 ? 0.75 : Math.min(4, Math.max(1, Math.floor(name.length / 3))) + 0.5;
  for (const candidate of candidates) {
    const distance = candidate.toLowerCase() === name.toLowerCase() ? 0.5 : editDistance(name, candidate);
    if (distance < score) {
      score = distance;
      best = candidate;
    }
  }
  return best;
}

/** A hint text for an unknown name, or undefined. */
export function didYouMean(name: string, candidates: Iterable<string>): string | undefined {
  const found = nearest(name, candidates);
  return found === undefined ? undefined : `did you mean '${found}'?`;
}
