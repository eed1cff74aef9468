/**
 * Source texts and positions in them. A span is two offsets into one named file; it travels with every
 * syntax node, tensor node and kernel, so that an error at run time can still name a line of the `.opt` file.
 */

/** Half-open range of character offsets [start, end) in the file `file` (the name under which the source was given). */
export interface Span {
  readonly file: string;
  readonly start: number;
  readonly end: number;
}

/** One source text with its name. */
export class Source {
  readonly name: string;
  readonly text: string;
  private lineStarts: number[] | undefined;

  constructor(name: string, text: string) {
    this.name = name;
    this.text = text;
  }

  /** Offsets at which lines start; computed once. */
  private starts(): number[] {
    if (!this.lineStarts) {
      this.lineStarts = [0];
      for (let i = 0; i < this.text.length; i++) if (this.text.charCodeAt(i) === 10) this.lineStarts.push(i + 1);
    }
    return this.lineStarts;
  }

  /** 1-based line and column of an offset. */
  position(offset: number): { line: number; column: number } {
    const starts = this.starts();
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle] <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - starts[low] + 1 };
  }

  /** Text of a 1-based line, without its newline. */
  line(line: number): string {
    const starts = this.starts();
    const end = line < starts.length ? starts[line] - 1 : this.text.length;
    return this.text.slice(starts[line - 1], end).replace(/\r$/, '');
  }

  /** Text of a span. */
  slice(span: Span): string {
    return this.text.slice(span.start, span.end);
  }
}

/** All sources of one compilation, by name: the main file, its relative imports and the stdlib files it uses. */
export type Sources = ReadonlyMap<string, Source>;

/** Smallest span that covers both (both must lie in the same file). */
export function cover(a: Span, b: Span): Span {
  return { file: a.file, start: Math.min(a.start, b.start), end: Math.max(a.end, b.end) };
}
