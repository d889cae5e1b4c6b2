package drawing

// style is the drawing's own style sheet. Each colour is given twice: as it is, for what does not know variables, and as the
// variable that follows the reader's choice and that a page around the drawing may set on .stowage.
//
// The hues are those of Okabe and Ito, which people see apart whatever their colour vision; each mark has a pattern, an
// outline and a sign of its own besides.
const style = `
.stowage{--paper:#fcfcfa;--ink:#17212b;--soft:#5a6773;--rule:#d5dade;--hull:#51616f;--room:#eceff1;--ballast:#c5ccd2;
--stay:#c6d2dc;--stay-line:#8da0b0;--new:#b5e3d0;--new-line:#00664b;--arrive:#cfe4f7;--arrive-line:#0a5699;
--change:#f6e7b4;--change-line:#7d6200;--leave:#b0430a;--wait:#ffffff;--wait-line:#17212b;--sick:#a1125f;
font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
@media (prefers-color-scheme:dark){.stowage{--paper:#0f151b;--ink:#e8edf1;--soft:#9aa8b4;--rule:#2c3741;--hull:#8b9cab;
--room:#212c36;--ballast:#34414c;--stay:#40515f;--stay-line:#6d8294;--new:#0d5743;--new-line:#52d6ab;--arrive:#163f66;
--arrive-line:#7cbcf5;--change:#51430c;--change-line:#ecc94f;--leave:#ff9b5e;--wait:#0f151b;--wait-line:#e8edf1;--sick:#ff8cc6}}
.stowage text{fill:#17212b;fill:var(--ink);stroke:none}
.stowage .soft{fill:#5a6773;fill:var(--soft)}
.stowage .strong{font-weight:650}
.stowage .paper{fill:#fcfcfa;fill:var(--paper)}
.stowage .rule{stroke:#d5dade;stroke:var(--rule);fill:none}
.stowage .room{fill:#eceff1;fill:var(--room)}
.stowage .unscaled .room{fill-opacity:.4}
.stowage .hull{fill:none;stroke:#51616f;stroke:var(--hull);stroke-linejoin:round;stroke-linecap:round}
.stowage .hatch{fill:#51616f;fill:var(--hull)}
.stowage .ballast{fill:url(#stw-ballast)}
.stowage .load{fill:none;stroke:#b0430a;stroke:var(--leave)}
.stowage .gauge{fill:#eceff1;fill:var(--room)}
.stowage .level{fill:#8da0b0;fill:var(--stay-line)}
.stowage .unreachable .hull{stroke-dasharray:2 4}
.stowage .lost .hull{stroke-dasharray:7 5}
.stowage .lost .cross{fill:none;stroke:#51616f;stroke:var(--hull);stroke-dasharray:7 5}
.stowage .added .hull{stroke:#00664b;stroke:var(--new-line);stroke-dasharray:9 3 2 3}
.stowage .box rect{fill:#c6d2dc;fill:var(--stay);stroke:#8da0b0;stroke:var(--stay-line)}
.stowage .staying.bare rect{fill-opacity:.5}
.stowage .new rect{fill:#b5e3d0;fill:var(--new);stroke:#00664b;stroke:var(--new-line)}
.stowage .arriving rect{fill:url(#stw-arriving);stroke:#0a5699;stroke:var(--arrive-line)}
.stowage .changing rect{fill:url(#stw-changing);stroke:#7d6200;stroke:var(--change-line)}
.stowage .leaving rect{fill:#eceff1;fill:var(--room);stroke:#b0430a;stroke:var(--leave);stroke-dasharray:3 2}
.stowage .waiting rect{fill:#ffffff;fill:var(--wait);stroke:#17212b;stroke:var(--wait-line);stroke-dasharray:1.2 2.2;stroke-linecap:round}
.stowage .unhealthy rect,.stowage .stopped rect{stroke:#a1125f;stroke:var(--sick)}
.stowage .stopped rect{fill:url(#stw-stopped)}
.stowage .unknown rect{stroke-dasharray:1.2 2.2;stroke-linecap:round}
.stowage .box .soft{fill:#17212b;fill:var(--ink);fill-opacity:.78}
.stowage .arriving text,.stowage .changing text,.stowage .stopped text{paint-order:stroke;stroke-width:3px;stroke-linejoin:round}
.stowage .arriving text{stroke:#cfe4f7;stroke:var(--arrive)}
.stowage .changing text{stroke:#f6e7b4;stroke:var(--change)}
.stowage .stopped text{stroke:#c6d2dc;stroke:var(--stay)}
.stowage .leaving text{fill:#b0430a;fill:var(--leave)}
.stowage .sign{fill:none;stroke:#17212b;stroke:var(--ink);stroke-width:1.7;stroke-linecap:round;stroke-linejoin:round}
.stowage .new .sign{stroke:#00664b;stroke:var(--new-line)}
.stowage .arriving .sign{stroke:#0a5699;stroke:var(--arrive-line)}
.stowage .changing .sign{stroke:#7d6200;stroke:var(--change-line)}
.stowage .leaving .sign{stroke:#b0430a;stroke:var(--leave)}
.stowage .sign.health{stroke:#a1125f;stroke:var(--sick)}
.stowage .f-room{fill:#eceff1;fill:var(--room)}
.stowage .f-ballast{fill:#c5ccd2;fill:var(--ballast)}
.stowage .f-arrive{fill:#cfe4f7;fill:var(--arrive)}
.stowage .f-change{fill:#f6e7b4;fill:var(--change)}
.stowage .f-stay{fill:#c6d2dc;fill:var(--stay)}
.stowage .s-arrive{stroke:#0a5699;stroke:var(--arrive-line);stroke-opacity:.4}
.stowage .s-change{fill:#7d6200;fill:var(--change-line);fill-opacity:.5}
.stowage .s-ballast{stroke:#8da0b0;stroke:var(--stay-line)}
.stowage .s-sick{stroke:#a1125f;stroke:var(--sick);stroke-opacity:.55}
`

// signs are the paths of the signs, in a square of 10.
var signs = [...]struct{ class, path string }{
	{"new", "M5 1.5V8.5M1.5 5H8.5"},
	{"arriving", "M5 .8V6.2M2.4 3.8L5 6.4L7.6 3.8M1 6.2V9.2H9V6.2"},
	{"changing", "M1 6Q3 2.2 5 5T9 4"},
	{"leaving", "M5 7V1.4M2.4 4L5 1.4L7.6 4M1 6.2V9.2H9V6.2"},
	{"waiting", "M2 1H8L2 9H8Z"},
	{"starting", "M1.6 5H1.7M5 5H5.1M8.4 5H8.5"},
	{"unhealthy", "M5 1V6M5 8.8V8.9"},
	{"stopped", "M2.5 2.5H7.5V7.5H2.5Z"},
	{"unknown", "M3 3.2Q3 1.2 5 1.2T7 3.2Q7 4.6 5 5.4V6.2M5 8.8V8.9"},
}
