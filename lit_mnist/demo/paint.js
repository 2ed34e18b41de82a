// How strokes, the keyboard's pen and a picture are painted.

export const SIDE = 280; // of the drawing, in its own units
const PEN = 22; // width of a stroke

// Strokes are lists of points [x, y]
export function ink(context, strokes, colour) {
  Object.assign(context, { lineWidth: PEN, lineCap: "round", lineJoin: "round" });
  context.strokeStyle = colour;
  for (const stroke of strokes) {
    context.beginPath();
    context.moveTo(...stroke[0]);
    for (const point of stroke) context.lineTo(...point); // the first again: a dot is a stroke
    context.stroke();
  }
}

// The pen that keys move: whole while it is down, dashed while it is up
export function ring(context, [x, y], colour, down) {
  Object.assign(context, { lineWidth: 2, strokeStyle: colour });
  context.setLineDash(down ? [] : [4, 4]);
  context.beginPath();
  context.arc(x, y, PEN / 2 + 4, 0, 2 * Math.PI);
  context.stroke();
  context.setLineDash([]);
}

// A bitmap in its own proportions, as large as fits, in pixels of the canvas
export function fit(context, bitmap, width, height) {
  const scale = Math.min(width / bitmap.width, height / bitmap.height);
  const [across, down] = [bitmap.width * scale, bitmap.height * scale];
  context.drawImage(bitmap, (width - across) / 2, (height - down) / 2, across, down);
}
