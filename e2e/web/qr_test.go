package web

import (
	"bytes"
	"fmt"
	"image/png"
	"strings"

	"github.com/chromedp/chromedp"
	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
)

// drawQR draws a QR code as the simplest SVG there is.
func drawQR(text string) string {
	m, err := qrcode.NewQRCodeWriter().Encode(text, gozxing.BarcodeFormat_QR_CODE, 0, 0, nil)
	if err != nil {
		panic(err) // a test's own link fits
	}
	var path strings.Builder
	for y := range m.GetHeight() {
		for x := range m.GetWidth() {
			if m.Get(x, y) {
				fmt.Fprintf(&path, "M%d %dh1v1h-1z", x, y)
			}
		}
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h%[1]dv%[2]dH0z"/><path d="%s"/></svg>`,
		m.GetWidth(), m.GetHeight(), path.String())
}

// scan reads the QR code off the page as a camera would: from its pixels.
func (p *page) scan() string {
	p.t.Helper()
	p.await("the code to be drawn", `document.querySelector("#qr").checkVisibility() && document.querySelector("#qr").complete && document.querySelector("#qr").naturalWidth > 0`)
	shot, err := try(p, chromedp.Screenshot(chromedp.CSS("#qr"), chromedp.NodeVisible))
	p.must("take a picture of the code", err)
	img, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		p.t.Fatal(err)
	}
	bitmap, err := gozxing.NewBinaryBitmapFromImage(img)
	if err != nil {
		p.t.Fatal(err)
	}
	result, err := qrcode.NewQRCodeReader().Decode(bitmap, map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_TRY_HARDER: true})
	if err != nil {
		p.shot("unreadable")
		p.t.Fatalf("no camera could read the code: %v", err)
	}
	return result.GetText()
}
