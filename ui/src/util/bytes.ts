/**
 * The server counts UTF-8 bytes, editors count UTF-16 units. A text that is
 * plain ASCII, the common case, needs no table.
 */
export class ByteIndex {
  private readonly checkpoints: { byte: number; unit: number }[] = [];
  private readonly ascii: boolean;

  constructor(private readonly text: string) {
    this.ascii = !/[^\x00-\x7f]/.test(text);
    if (this.ascii) return;
    let byte = 0;
    for (let unit = 0; unit < text.length; ) {
      if (this.checkpoints.length * STRIDE <= unit) this.checkpoints.push({ byte, unit });
      const point = text.codePointAt(unit) ?? 0;
      byte += bytesOf(point);
      unit += point > 0xffff ? 2 : 1;
    }
  }

  /** The UTF-16 offset of a byte offset; one past the end gives the end. */
  toUnit(byte: number): number {
    if (this.ascii) return Math.min(byte, this.text.length);
    let at = this.before((checkpoint) => checkpoint.byte <= byte);
    while (at.byte < byte && at.unit < this.text.length) at = this.next(at);
    return at.unit;
  }

  /** The byte offset of a UTF-16 offset. */
  toByte(unit: number): number {
    if (this.ascii) return Math.min(unit, this.text.length);
    let at = this.before((checkpoint) => checkpoint.unit <= unit);
    while (at.unit < unit && at.unit < this.text.length) at = this.next(at);
    return at.byte;
  }

  private next(at: { byte: number; unit: number }) {
    const point = this.text.codePointAt(at.unit) ?? 0;
    return { byte: at.byte + bytesOf(point), unit: at.unit + (point > 0xffff ? 2 : 1) };
  }

  private before(fits: (checkpoint: { byte: number; unit: number }) => boolean) {
    let low = 0;
    let high = this.checkpoints.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (fits(this.checkpoints[middle]!)) low = middle + 1;
      else high = middle;
    }
    return this.checkpoints[low - 1] ?? { byte: 0, unit: 0 };
  }
}

const STRIDE = 256;

function bytesOf(point: number): number {
  if (point < 0x80) return 1;
  if (point < 0x800) return 2;
  return point < 0x10000 ? 3 : 4;
}
