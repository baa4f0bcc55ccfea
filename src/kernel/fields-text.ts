/** 'key=value key=value' with values free of blanks: how native/init and tsbox write to each other. */
export function parseFields(text: string): Record<string, string> {
  const fields: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const word of text.split(' ')) {
    const equals = word.indexOf('=');
    if (equals > 0) fields[word.slice(0, equals)] = word.slice(equals + 1);
  }
  return fields;
}
