// Day or night: by the sun where the vehicle stands, until somebody chooses.

const DEG = Math.PI / 180;
let chosen = null;

// The sun's height in degrees, to about one degree: enough to tell day from night.
export function sunHeight(utc, latitude, longitude) {
  const days = utc / 86400000 - 10957.5; // since noon of 1 January 2000
  const mean = (357.529 + 0.98560028 * days) * DEG;
  const ecliptic = (280.459 + 0.98564736 * days + 1.915 * Math.sin(mean) + 0.02 * Math.sin(2 * mean)) * DEG;
  const tilt = 23.439 * DEG;
  const declination = Math.asin(Math.sin(tilt) * Math.sin(ecliptic));
  const ascension = Math.atan2(Math.cos(tilt) * Math.sin(ecliptic), Math.cos(ecliptic));
  const sidereal = (280.46062 + 360.98564737 * days + longitude) * DEG;
  const hour = sidereal - ascension;
  const sine = Math.sin(latitude * DEG) * Math.sin(declination) + Math.cos(latitude * DEG) * Math.cos(declination) * Math.cos(hour);
  return Math.asin(sine) / DEG;
}

export function applyTheme(snapshot) {
  document.documentElement.dataset.theme = chosen ?? (isNight(snapshot) ? "night" : "day");
}

export function switchTheme(snapshot) {
  chosen = document.documentElement.dataset.theme === "day" ? "night" : "day";
  applyTheme(snapshot);
}

function isNight(snapshot) {
  const place = snapshot?.position;
  if (!place || place.latitude_deg === null || snapshot.clock?.source === "none") {
    return matchMedia("(prefers-color-scheme: dark)").matches;
  }
  return sunHeight(Date.parse(snapshot.at), place.latitude_deg, place.longitude_deg) < 0;
}
