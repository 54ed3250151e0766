package clean

// kind is how an element takes part in the flow of text.
type kind uint8

const (
	inline  kind = iota
	nothing      // its tags mean nothing here: html, body, tbody
	void         // has no end tag
	block        // stands on lines of its own
	article      // a block with a blank line around it
	raw          // its content is no text: script, style
	unseen       // nobody sees its content: svg, select
	cell         // of a table's row
)

// id tells the elements apart that an end tag has to find or that need more than their kind.
type id uint8

const (
	idOther id = iota
	idA
	idB
	idBlockquote
	idBr
	idButton
	idCenter
	idCite
	idCode
	idDiv
	idEm
	idFont
	idForm
	idHeading
	idHr
	idI
	idIframe
	idImg
	idInput
	idLi
	idList
	idNoembed
	idOl
	idP
	idPre
	idScript
	idSection
	idSmall
	idSpan
	idStrong
	idStyle
	idTable
	idTd
	idTextarea
	idTitle
	idTr
	idU
	idUnseen
	idXMP
	ids
)

// element finds an element by its name in lower case.
func element(name []byte) (id, kind) {
	switch string(name) {
	case "a":
		return idA, inline
	case "b":
		return idB, inline
	case "i":
		return idI, inline
	case "u":
		return idU, inline
	case "p":
		return idP, article
	case "br":
		return idBr, void
	case "td", "th":
		return idTd, cell
	case "tr":
		return idTr, block
	case "em":
		return idEm, inline
	case "div":
		return idDiv, block
	case "span":
		return idSpan, inline
	case "font":
		return idFont, inline
	case "strong":
		return idStrong, inline
	case "small":
		return idSmall, inline
	case "code":
		return idCode, inline
	case "cite":
		return idCite, inline
	case "table":
		return idTable, block
	case "html", "body", "head", "tbody", "thead", "tfoot", "colgroup":
		return idOther, nothing
	case "img":
		return idImg, void
	case "hr":
		return idHr, void
	case "input", "embed":
		return idInput, void
	case "button":
		return idButton, inline
	case "area", "base", "col", "link", "meta", "param", "source", "track", "wbr", "basefont", "bgsound", "frame", "keygen":
		return idOther, void
	case "ul", "menu", "dir":
		return idList, block
	case "ol":
		return idOl, block
	case "li":
		return idLi, block
	case "h1", "h2", "h3", "h4", "h5", "h6":
		return idHeading, article
	case "blockquote":
		return idBlockquote, article
	case "pre", "listing":
		return idPre, block
	case "center":
		return idCenter, block
	case "form":
		return idForm, block
	case "section", "header", "footer", "article", "aside", "main", "nav", "address", "fieldset", "figure", "figcaption",
		"details", "summary", "dl", "dt", "dd", "caption", "legend", "hgroup", "dialog", "search":
		return idSection, block
	case "style":
		return idStyle, raw
	case "script":
		return idScript, raw
	case "title":
		return idTitle, raw
	case "textarea":
		return idTextarea, raw
	case "iframe":
		return idIframe, raw
	case "noembed", "noframes":
		return idNoembed, raw
	case "xmp", "plaintext":
		return idXMP, inline
	case "svg", "math", "template", "select", "datalist", "audio", "video", "canvas", "object", "xml", "frameset":
		return idUnseen, unseen
	}
	return idOther, inline
}

// closers has what ends the content of a raw element.
var closers = [ids]string{
	idStyle: "</style", idScript: "</script", idTitle: "</title", idTextarea: "</textarea", idIframe: "</iframe", idNoembed: "</no",
}
