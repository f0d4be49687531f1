/** Files that are dropped on the page or pasted into it. */

/** @param take what is done with the first picture or video. */
export function bindIntake(take: (file: File) => void): void {
  const show = (isOver: boolean) => document.body.classList.toggle("dropping", isOver);
  addEventListener("dragover", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    // Or else the browser leaves the page for the file.
    event.preventDefault();
    show(true);
  });
  addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) show(false);
  });
  addEventListener("drop", (event) => {
    show(false);
    // A part of the page has taken it.
    if (event.defaultPrevented) return;
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    const file = firstPicture(event.dataTransfer.files);
    if (file) take(file);
  });
  addEventListener("paste", (event) => {
    const file = firstPicture(event.clipboardData?.files);
    if (!file) return;
    event.preventDefault();
    take(file);
  });
}

/** A file that says it is neither is taken too: opening it then tells the user why it can't be shown. */
function firstPicture(files: FileList | undefined): File | undefined {
  const all = [...(files ?? [])];
  return all.find(({ type }) => /^(image|video)\//.test(type)) ?? all[0];
}
