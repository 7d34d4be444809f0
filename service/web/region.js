// Where in a picture something was found: a box drawn over it. Knows how pictures are fitted into their frames.

import { make } from "./dom.js";

// A span to be laid over `img`, whose parent it must fill. `cover`: the frame is a square that shows the middle only.
export function regionOver(img, box, { cover = false } = {}) {
  const mark = make("span", { class: "region", title: "What was found is here" });
  const place = () => {
    const [wide, high] = [img.naturalWidth || 1, img.naturalHeight || 1];
    const short = Math.min(wide, high);
    const [across, down] = cover ? [wide / short, high / short] : [1, 1]; // how much larger the picture is than its frame
    mark.style.left = `${100 * (0.5 + (box[0] - 0.5) * across)}%`;
    mark.style.top = `${100 * (0.5 + (box[1] - 0.5) * down)}%`;
    mark.style.width = `${100 * (box[2] - box[0]) * across}%`;
    mark.style.height = `${100 * (box[3] - box[1]) * down}%`;
  };
  img.addEventListener("load", place);
  if (img.complete && img.naturalWidth) place();
  return mark;
}
