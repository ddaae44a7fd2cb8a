package pairing

import (
	"bytes"
	"fmt"

	"rsc.io/qr"
)

// quietZone is the empty border that a reader needs, in modules (ISO/IEC 18004,
// section 9.1).
const quietZone = 4

// QR draws the text as a QR code: an SVG picture of black modules on white with
// a quiet zone of four, for the browser to scale. It fails only for a text too
// long for any code.
func QR(link string) ([]byte, error) {
	// Level M bears a reflection on the screen and keeps the modules large.
	code, err := qr.Encode(link, qr.M)
	if err != nil {
		return nil, fmt.Errorf("draw QR code: %w", err)
	}
	size := code.Size + 2*quietZone
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-labelledby="qr-title" shape-rendering="crispEdges">`, size, size)
	b.WriteString(`<title id="qr-title">QR code to join this device</title>`)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/><path fill="#000" d="`, size, size)
	for y := range code.Size {
		drawRow(&b, code, y)
	}
	b.WriteString(`"/></svg>`)
	return b.Bytes(), nil
}

// drawRow draws each run of black modules as one rectangle: gaps between squares
// would show as hairlines on some screens.
func drawRow(b *bytes.Buffer, code *qr.Code, y int) {
	for x := 0; x < code.Size; x++ {
		start := x
		for x < code.Size && code.Black(x, y) {
			x++
		}
		if run := x - start; run > 0 {
			fmt.Fprintf(b, "M%d %dh%dv1h-%dz", start+quietZone, y+quietZone, run, run)
		}
	}
}
