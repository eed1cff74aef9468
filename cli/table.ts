/** Tables for the terminal: columns as wide as their widest cell, numbers to the right. */

/** Lines of a table; a column whose cells all look like numbers (but for its head) is set to the right. */
export function tableLines(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const columns = head.map((name, i) => {
    const cells = rows.map((row) => row[i] ?? '');
    return {
      width: [name, ...cells].reduce((most, cell) => Math.max(most, cell.length), 0),
      right: cells.some((c) => c !== '') && cells.every((cell) => cell === '' || /^[-+]?[\d.]/.test(cell)),
    };
  });
  const line = (cells: readonly string[]) =>
    columns
      .map(({ width, right }, i) => (right ? (cells[i] ?? '').padStart(width) : (cells[i] ?? '').padEnd(width)))
      .join('  ')
      .trimEnd();
  return [line(head), ...rows.map(line)];
}
