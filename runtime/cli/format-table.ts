/** Columns as wide as their widest cell, two spaces apart; numbers are the caller's text. No trailing white space. */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  const line = (row: readonly string[]) => widths.map((width, column) => (row[column] ?? '').padEnd(width)).join('  ');
  return all.map((row) => `${line(row).trimEnd()}\n`).join('');
}
