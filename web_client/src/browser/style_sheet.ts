/** Adds a style sheet to the page that it did not begin with. */

/** Resolves when it is in force, or can't be had: what is styled by it works without. */
export function loadStyles(url: string): Promise<void> {
  return new Promise((resolve) => {
    const link = document.createElement("link");
    link.rel = "stylesheet";
    link.href = url;
    link.onload = link.onerror = () => resolve();
    document.head.append(link);
  });
}
