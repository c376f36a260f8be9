import type { Dice } from "../core/units.ts";

/** Where somebody ran. Members of a club share their routes. */
export type Route = { readonly polyline: string; readonly start: readonly number[]; readonly end: readonly number[] };

/** A winding loop around a place, in degrees; its line is as long as those of recorded races (34 to 1,283 characters). */
export function drawRoute(dice: Dice, place: { latitude: number; longitude: number }): Route {
  const points: [number, number][] = [];
  const count = 12 + Math.floor(dice() * 150);
  const radius = 0.004 + dice() * 0.03;
  const turns = 1 + Math.floor(dice() * 3);
  for (let point = 0; point < count; point++) {
    const angle = (point / count) * turns * 2 * Math.PI;
    const wobble = radius * (0.8 + 0.4 * dice());
    points.push([place.latitude + Math.sin(angle) * wobble, place.longitude + Math.cos(angle) * wobble * 1.2]);
  }
  const rounded = (point: [number, number] | undefined) =>
    (point ?? [0, 0]).map((degrees) => Number(degrees.toFixed(6)));
  return { polyline: encodePolyline(points), start: rounded(points[0]), end: rounded(points.at(-1)) };
}

/** @see https://developers.google.com/maps/documentation/utilities/polylinealgorithm five decimals, deltas, base 64 */
export function encodePolyline(points: readonly (readonly [number, number])[]): string {
  let encoded = "";
  let lastLatitude = 0;
  let lastLongitude = 0;
  for (const [latitudeDegrees, longitudeDegrees] of points) {
    const latitude = Math.round(latitudeDegrees * 1e5);
    const longitude = Math.round(longitudeDegrees * 1e5);
    encoded += encodeDelta(latitude - lastLatitude) + encodeDelta(longitude - lastLongitude);
    lastLatitude = latitude;
    lastLongitude = longitude;
  }
  return encoded;
}

function encodeDelta(delta: number): string {
  let rest = delta < 0 ? ~(delta << 1) : delta << 1;
  let encoded = "";
  while (rest >= 0x20) {
    encoded += String.fromCharCode((0x20 | (rest & 0x1f)) + 63);
    rest >>>= 5;
  }
  return encoded + String.fromCharCode(rest + 63);
}
