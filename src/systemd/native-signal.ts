/** What native/signal.cc exports. */
// biome-ignore lint/suspicious/noEmptyInterface: filled in by the signal watch.
export interface NativeSignal {}
