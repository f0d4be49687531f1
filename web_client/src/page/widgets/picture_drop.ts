/** Takes a picture that is dropped on an element, which else becomes the input. */

/** The handlers that such an element needs. @param setOver told whether a picture is held over it. */
export function pictureDrop(setOver: (isOver: boolean) => void, take: (picture: File) => void) {
  return {
    onDragOver: ({ dataTransfer }: DragEvent) =>
      setOver([...(dataTransfer?.items ?? [])].some(({ kind, type }) => kind === "file" && isPicture(type))),
    onDragLeave: ({ currentTarget, relatedTarget }: DragEvent) => {
      if (!(currentTarget as Element).contains(relatedTarget as Node | null)) setOver(false);
    },
    onDrop: (event: DragEvent) => {
      setOver(false);
      const picture = [...(event.dataTransfer?.files ?? [])].find(({ type }) => isPicture(type));
      if (!picture) return;
      event.preventDefault();
      take(picture);
    },
  };
}

function isPicture(type: string): boolean {
  return type.startsWith("image/");
}
