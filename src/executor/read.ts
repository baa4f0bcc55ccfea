/** The first text of a batched read, '' when it could not be read. */
export function readOrEmpty(results: ReadonlyArray<string | number>): string {
  const first = results[0];
  return typeof first === 'string' ? first : '';
}
