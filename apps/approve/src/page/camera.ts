import { readQr } from './qr.ts';

/** Pause between two looks through the camera, in milliseconds. */
const lookEveryMs = 200;

export type Camera = { readonly stop: () => void };

/** Looks through the camera until it sees a QR code or is stopped. */
export async function watchCamera(video: HTMLVideoElement, seen: (text: string) => void): Promise<Camera> {
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' }, audio: false });
  video.srcObject = stream;
  await video.play();
  const stop = (): void => {
    clearInterval(timer);
    for (const track of stream.getTracks()) track.stop();
    video.srcObject = null;
  };
  const timer = setInterval(() => {
    // Whoever leaves the view leaves the camera.
    if (!video.isConnected) return stop();
    if (video.videoWidth === 0) return undefined;
    const text = readQr({ source: video, width: video.videoWidth, height: video.videoHeight });
    if (text === undefined || text === '') return undefined;
    stop();
    return seen(text);
  }, lookEveryMs);
  return { stop };
}
