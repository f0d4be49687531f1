/** What is on the screen, as a small JPEG in base64. */

const HEIGHT_PX = 96;
const MAX_WIDTH_PX = 172;
const QUALITY = 0.72;

/** Its middle, where it is wider than it may be. */
export function thumbnail(image: CanvasImageSource, width: number, height: number): string | undefined {
  const canvas = document.createElement("canvas");
  const whole_px = (HEIGHT_PX * width) / height;
  [canvas.width, canvas.height] = [Math.round(Math.min(MAX_WIDTH_PX, whole_px)), HEIGHT_PX];
  const context = canvas.getContext("2d", { alpha: false });
  if (!context) return undefined;
  context.imageSmoothingQuality = "high";
  context.drawImage(image, (canvas.width - whole_px) / 2, 0, whole_px, HEIGHT_PX);
  return canvas.toDataURL("image/jpeg", QUALITY).split(",")[1];
}

export function addressOfJpeg(base64: string): string {
  return `data:image/jpeg;base64,${base64}`;
}
