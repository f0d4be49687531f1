/** Puts stacked pictures together: a fill above its key becomes one transparent picture. Doesn't know where they come from. */

const VERTEX = `attribute vec2 at;
varying vec2 from;
void main() {
  gl_Position = vec4(at, 0, 1);
  from = vec2(at.x + 1., 1. - at.y) / vec2(2., 4.);
}`;

/** Canvases hold colours multiplied by their opacity; the fill's are not. */
const FRAGMENT = `precision mediump float;
uniform sampler2D stacked;
varying vec2 from;
void main() {
  float key = texture2D(stacked, from + vec2(0., .5)).g;
  gl_FragColor = vec4(texture2D(stacked, from).rgb * key, key);
}`;

/** Whether a picture of this shape is the fill above the key of one of that shape: it is twice as high for its width. */
export function isStacked(width: number, height: number, shape: { width: number; height: number }): boolean {
  return height * shape.width > 1.5 * width * shape.height;
}

export class Keyed {
  #gl: WebGLRenderingContext | null = null;

  /**
   * The fill and the key of a picture, put together; drawn over with the next one.
   * @param height of the stacked picture: twice the answer's.
   * @throws where this device can't; the message says why.
   */
  draw(stacked: TexImageSource, width: number, height: number): HTMLCanvasElement {
    const gl = !this.#gl || this.#gl.isContextLost() ? this.#start() : this.#gl;
    const sideMax = gl.getParameter(gl.MAX_TEXTURE_SIZE) as number;
    // WebGL itself would show the last picture, or black.
    if (Math.max(width, height) > sideMax) {
      throw new Error(`this device shows transparent pictures of up to ${sideMax} × ${sideMax / 2} pixels, not ${width} × ${height / 2}`);
    }
    const canvas = gl.canvas as HTMLCanvasElement;
    if (canvas.width !== width || canvas.height !== height / 2) {
      canvas.width = width;
      canvas.height = height / 2;
      gl.viewport(0, 0, width, height / 2);
    }
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB, gl.RGB, gl.UNSIGNED_BYTE, stacked);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    return canvas;
  }

  /** A new context: the first, or one for a context that the browser took back. */
  #start(): WebGLRenderingContext {
    const gl = document.createElement("canvas").getContext("webgl");
    if (!gl) throw new Error("this browser has no WebGL, without which transparent pictures can't be shown");
    const program = gl.createProgram();
    for (const [kind, text] of [
      [gl.VERTEX_SHADER, VERTEX],
      [gl.FRAGMENT_SHADER, FRAGMENT],
    ] as const) {
      const shader = gl.createShader(kind) as WebGLShader;
      gl.shaderSource(shader, text);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    gl.useProgram(program);
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([-1, -1, 1, -1, -1, 1, 1, 1]), gl.STATIC_DRAW);
    const at = gl.getAttribLocation(program, "at");
    gl.enableVertexAttribArray(at);
    gl.vertexAttribPointer(at, 2, gl.FLOAT, false, 0, 0);
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    // Pixel for pixel: a mean across the middle would mix the fill's last line with the key's first.
    for (const filter of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, filter, gl.NEAREST);
    for (const side of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, side, gl.CLAMP_TO_EDGE);
    this.#gl = gl;
    return gl;
  }
}
