// Track queries (assay=CAGE biosample~liver): takes one term out, puts one in. The server reads them; this only writes.

/** The terms of a query; quotes hold spaces together. */
export function terms(query) {
  return query.match(/(?:[^\s"]|"[^"]*")+/g) ?? [];
}

/** The query without its `column=` terms. */
export function without(query, column) {
  return terms(query).filter((term) => !term.startsWith(`${column}=`)).join(" ");
}

/** The values that a query's `column=` term lists. */
export function values(query, column) {
  const term = terms(query).find((each) => each.startsWith(`${column}=`));
  if (!term) return [];
  return term.slice(column.length + 1).replaceAll('"', "").split(/,(?!\s|$)/);
}

/** The query with `column=` listing these values; without the term when there are none. */
export function having(query, column, wanted) {
  const rest = without(query, column);
  if (!wanted.length) return rest;
  const listed = wanted.map((value) => value.replaceAll('"', "")).join(",");
  return `${rest} ${column}=${/[\s;:()']/.test(listed) ? `"${listed}"` : listed}`.trim();
}
