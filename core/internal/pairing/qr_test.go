package pairing

import (
	"encoding/xml"
	"fmt"
	"image"
	"image/color"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
	"rsc.io/qr"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

// picture is what a reader sees of an SVG: which modules are black.
type picture struct {
	size  int
	black map[[2]int]bool
}

var rectangle = regexp.MustCompile(`^M(\d+) (\d+)h(\d+)v1h-(\d+)z`)

// rasterise reads the picture back, and fails on anything in it but a white
// square and black runs.
func rasterise(t *testing.T, svg []byte) picture {
	t.Helper()
	var doc struct {
		XMLName xml.Name `xml:"http://www.w3.org/2000/svg svg"`
		ViewBox string   `xml:"viewBox,attr"`
		Role    string   `xml:"role,attr"`
		Label   string   `xml:"aria-labelledby,attr"`
		Title   struct {
			ID   string `xml:"id,attr"`
			Text string `xml:",chardata"`
		} `xml:"title"`
		Rect struct {
			Width  int    `xml:"width,attr"`
			Height int    `xml:"height,attr"`
			Fill   string `xml:"fill,attr"`
		} `xml:"rect"`
		Path struct {
			Fill string `xml:"fill,attr"`
			D    string `xml:"d,attr"`
		} `xml:"path"`
	}
	if err := xml.Unmarshal(svg, &doc); err != nil {
		t.Fatal(err)
	}
	p := picture{black: map[[2]int]bool{}}
	if _, err := fmt.Sscanf(doc.ViewBox, "0 0 %d %d", &p.size, new(int)); err != nil {
		t.Fatalf("view box %q: %v", doc.ViewBox, err)
	}
	if doc.Role != "img" || doc.Title.Text == "" || doc.Label != doc.Title.ID {
		t.Errorf("a screen reader is told role %q, title %q", doc.Role, doc.Title.Text)
	}
	if doc.Rect.Width != p.size || doc.Rect.Height != p.size || doc.Rect.Fill != "#fff" || doc.Path.Fill != "#000" {
		t.Errorf("not black on white: %+v", doc.Rect)
	}
	for d := doc.Path.D; d != ""; {
		m := rectangle.FindStringSubmatch(d)
		if m == nil || m[3] != m[4] {
			t.Fatalf("cannot read %.40q", d)
		}
		d = d[len(m[0]):]
		x, y, run := number(m[1]), number(m[2]), number(m[3])
		for i := range run {
			p.black[[2]int{x + i, y}] = true
		}
	}
	return p
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(err) // the expression takes digits only
	}
	return n
}

// read has a reader that is not ours take the text from the picture.
func (p picture) read(t *testing.T) string {
	t.Helper()
	const scale = 4 // pixels per module
	img := image.NewGray(image.Rect(0, 0, scale*p.size, scale*p.size))
	for y := range scale * p.size {
		for x := range scale * p.size {
			if !p.black[[2]int{x / scale, y / scale}] {
				img.SetGray(x, y, color.Gray{Y: 255})
			}
		}
	}
	bitmap, err := gozxing.NewBinaryBitmapFromImage(img)
	if err != nil {
		t.Fatal(err)
	}
	result, err := qrcode.NewQRCodeReader().Decode(bitmap, nil)
	if err != nil {
		t.Fatalf("a reader cannot read it: %v", err)
	}
	return result.GetText()
}

func TestQR(t *testing.T) {
	long := Link{Code: codeA, LinkingCode: codeB, Key: mesh.KeyHash{1}}
	for n := range maxLinkAddresses {
		long.Addresses = append(long.Addresses, fmt.Sprintf("[2001:db8:85a3:8d3:1319:8a2e:370:734%d]:6969", n))
	}
	for name, text := range map[string]string{
		"a link":   Link{Code: codeA, LinkingCode: codeB, Key: mesh.KeyHash{1}, Addresses: []string{"192.168.1.20:6969"}}.String(),
		"the most": long.String(),
		"markup":   `</path><script>"&'`,
	} {
		t.Run(name, func(t *testing.T) {
			svg, err := QR(text)
			if err != nil {
				t.Fatal(err)
			}
			want, err := qr.Encode(text, qr.M)
			if err != nil {
				t.Fatal(err)
			}
			p := rasterise(t, svg)
			if p.size != want.Size+8 {
				t.Fatalf("%d modules wide, want %d and a quiet zone of 4", p.size, want.Size)
			}
			for y := range p.size {
				for x := range p.size {
					// Outside of the code Black is false: the quiet zone is white.
					if p.black[[2]int{x, y}] != want.Black(x-4, y-4) {
						t.Fatalf("module %d, %d is wrong", x, y)
					}
				}
			}
			if got := p.read(t); got != text {
				t.Errorf("a reader finds %q", got)
			}
			if strings.Contains(string(svg), "currentColor") || strings.Contains(string(svg), "script") {
				t.Error("the picture holds more than modules")
			}
		})
	}
}

func TestQROfTooMuch(t *testing.T) {
	if svg, err := QR(strings.Repeat("x", 3000)); err == nil || svg != nil {
		t.Errorf("%d bytes, %v", len(svg), err)
	}
}

// TestQRIsWellFormed reads it with a strict reader to the end.
func TestQRIsWellFormed(t *testing.T) {
	svg, err := QR("https://192.168.1.20:6969/join#v1")
	if err != nil {
		t.Fatal(err)
	}
	for d := xml.NewDecoder(strings.NewReader(string(svg))); ; {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
