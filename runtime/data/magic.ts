/** What files of a format begin with. Apart from the readers, which are loaded only for files of their format. */

export function isGzip(start: Uint8Array): boolean {
  return start.length >= 2 && start[0] === 0x1f && start[1] === 0x8b;
}

export function isZip(start: Uint8Array): boolean {
  return start.length >= 4 && start[0] === 0x50 && start[1] === 0x4b && (start[2] === 3 || start[2] === 5);
}

export function isParquet(start: Uint8Array): boolean {
  return String.fromCharCode(...start.subarray(0, 4)) === 'PAR1';
}

export function isArrow(start: Uint8Array): boolean {
  return String.fromCharCode(...start.subarray(0, 6)) === 'ARROW1';
}
