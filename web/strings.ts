/** The few words that elements need, carried by the page as JSON. */

interface Strings {
  locale: string;
  tile: Record<string, string>;
  outlook: Record<string, string>;
  status: Record<string, string>;
  text: Record<string, string>;
}

const empty: Strings = { locale: "en", tile: {}, outlook: {}, status: {}, text: {} };
const source = document.getElementById("strings")?.textContent;

export const strings: Strings = source ? (JSON.parse(source) as Strings) : empty;

export function text(name: string): string {
  return strings.text[name] ?? name;
}

const whole = new Intl.NumberFormat(strings.locale === "en" ? "en-GB" : strings.locale, { maximumFractionDigits: 0 });
const tenth = new Intl.NumberFormat(strings.locale === "en" ? "en-GB" : strings.locale, {
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});

/** A number as the server writes it: a decimal only when it came with one or is below ten. */
export function number(value: number): string {
  return Number.isInteger(value) ? whole.format(value) : tenth.format(value);
}

export function shown(value: unknown): string {
  if (value === null || value === undefined) return "–";
  return typeof value === "number" ? number(value) : String(value);
}
