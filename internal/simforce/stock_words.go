package simforce

import "strings"

// vocabulary is what paragraphs of a language are made of, besides the phrases of
// language: common words and those of people who write to a support desk.
var vocabulary = map[string][]string{
	"en": strings.Fields(`the of and to a in is it that for was on with be we our you your this not have from are as at by but they which or an were had has one all there been
		their what so if will would when who more no out up about into than them can only other new some could time these two may then do first any my now such like over
		order invoice delivery shipment account password contract renewal customer supplier warehouse carrier quantity price discount refund payment credit statement balance
		reference number address contact department manager colleague meeting deadline schedule update version screen report export import file attachment error message button
		page server network printer device licence certificate warranty replacement damaged missing wrong late early urgent confirmed cancelled pending approved rejected
		yesterday tomorrow Monday Thursday morning afternoon week month quarter January March October please kindly regarding according unfortunately however therefore
		received ordered shipped checked noticed expected promised agreed changed attached forwarded discussed tested installed configured connected opened closed returned
		already again still just always never perhaps usually exactly completely because although before after during without between against within through pallet forwarding
		appointment technician commissioning calibration spreadsheet procurement reimbursement acknowledgement misunderstanding inconvenience specification maintenance throughput`),
	"de": strings.Fields(`der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch es an werden aus er hat dass sie nach wird bei einer um am sind noch wie
		einem über einen so zum war haben nur oder aber vor zur bis mehr durch man sein wurde sei ihr uns unser Ihre wir Sie
		Bestellung Rechnung Lieferung Sendung Konto Kennwort Vertrag Verlängerung Kunde Lieferant Lager Spediteur Menge Preis Rabatt Erstattung Zahlung Gutschrift Kontoauszug
		Bestellnummer Anschrift Ansprechpartner Abteilung Leiter Kollegin Termin Frist Zeitplan Aktualisierung Fassung Bildschirm Bericht Ausgabe Datei Anlage Fehlermeldung
		Schaltfläche Seite Server Netzwerk Drucker Gerät Lizenz Zertifikat Gewährleistung Ersatzteil beschädigt fehlend falsch verspätet dringend bestätigt storniert offen
		freigegeben abgelehnt gestern morgen Montag Donnerstag vormittags nachmittags Woche Monat Quartal Januar März Oktober bitte bezüglich laut leider jedoch deshalb
		erhalten bestellt versandt geprüft bemerkt erwartet zugesagt vereinbart geändert angehängt weitergeleitet besprochen getestet eingebaut eingerichtet verbunden geöffnet
		bereits wieder immer noch niemals vielleicht üblicherweise genau vollständig weil obwohl während ohne zwischen gegen innerhalb Mängelrüge Wareneingang Inbetriebnahme
		Auftragsbestätigung Zahlungserinnerung Leistungsverzeichnis Umsatzsteuer Rückfrage Unterlagen Ansprüche Überprüfung Größe Straße außerdem gemäß`),
	"fr": strings.Fields(`le la les de des du un une et à en que qui dans pour pas sur au plus par ce se ne avec est il elle nous vous son sa ses leur notre votre mais ou comme si tout
		fait été avons avez ont sont était cette ces aux même aussi bien très sans entre après avant depuis pendant
		commande facture livraison colis compte passe contrat renouvellement client fournisseur entrepôt transporteur quantité prix remise remboursement paiement avoir relevé
		référence numéro adresse interlocuteur service responsable collègue réunion échéance calendrier version écran rapport fichier pièce erreur bouton page serveur réseau
		imprimante appareil licence certificat garantie remplacement endommagé manquant erroné tardif urgent confirmé annulé validé refusé hier demain lundi jeudi matin semaine
		mois trimestre janvier mars octobre merci concernant selon malheureusement cependant reçu commandé expédié vérifié constaté attendu promis convenu modifié joint transféré
		testé installé configuré connecté ouvert fermé retourné déjà encore toujours jamais peut-être exactement complètement parce quoique désagrément réclamation étalonnage
		approvisionnement réception bon d’accord s’il l’équipe n’avons qu’elle aujourd’hui dès là où ça façon`),
	"es": strings.Fields(`el la los las de del un una y a en que no por con se para es su lo como más o pero sus le ya este sí porque esta entre cuando muy sin sobre también me hasta hay
		donde quien desde todo nos durante todos uno les ni contra otros ese eso ante ellos e esto antes algunos qué unos yo otro otras otra él tanto nuestra nuestro ustedes
		pedido factura entrega envío cuenta contraseña contrato renovación cliente proveedor almacén transportista cantidad precio descuento reembolso pago abono extracto
		referencia número dirección contacto departamento responsable compañero reunión plazo calendario versión pantalla informe archivo adjunto error botón página servidor
		red impresora equipo licencia certificado garantía sustitución dañado ausente incorrecto tarde urgente confirmado cancelado pendiente aprobado rechazado ayer mañana lunes
		jueves semana mes trimestre enero marzo octubre favor respecto según lamentablemente sin embargo recibido pedido enviado revisado observado esperado acordado cambiado
		probado instalado configurado conectado abierto cerrado devuelto todavía siempre nunca quizás exactamente completamente aunque reclamación calibración albarán gestión`),
}

// wordsOf is what paragraphs of a language are made of. Languages without a vocabulary of
// their own have the words of their phrases.
func wordsOf(l *language) []string {
	words := vocabulary[l.code]
	for _, list := range [][]string{l.openings, l.details, l.asks, l.replies, l.followups} {
		for _, phrase := range list {
			words = append(words, strings.Fields(phrase)...)
		}
	}
	return words
}

// styles are the programs mail is written with, as far as their HTML tells: what stands
// before the first and behind the last paragraph, around each of them, and around what is
// quoted. "#" followed by a letter is filled in per copy: c a colour, s a size in points, f a
// font, w a width, k a long token.
var styles = []struct{ head, open, close, quoteOpen, quoteClose, foot string }{
	{
		head: `<html xmlns:v="urn:schemas-microsoft-com:vml" xmlns:o="urn:schemas-microsoft-com:office:office" xmlns:w="urn:schemas-microsoft-com:office:word" xmlns="http://www.w3.org/TR/REC-html40">
<head>
<meta http-equiv="Content-Type" content="text/html; charset=utf-8">
<meta name="Generator" content="Microsoft Word 15 (filtered medium)">
<style><!--
/* Font Definitions */
@font-face
	{font-family:"Cambria Math";
	panose-1:2 4 5 3 5 4 6 3 2 4;}
@font-face
	{font-family:#f;
	panose-1:2 15 5 2 2 2 4 3 2 4;}
/* Style Definitions */
p.MsoNormal, li.MsoNormal, div.MsoNormal
	{margin:0cm;
	font-size:#s.0pt;
	font-family:"#f",sans-serif;}
a:link, span.MsoHyperlink
	{mso-style-priority:99;
	color:#c;
	text-decoration:underline;}
span.E-MailFormatvorlage#w
	{mso-style-type:personal-reply;
	font-family:"#f",sans-serif;
	color:#c;}
.MsoChpDefault
	{mso-style-type:export-only;
	font-size:10.0pt;}
@page WordSection1
	{size:612.0pt 792.0pt;
	margin:70.85pt 70.85pt 2.0cm 70.85pt;}
div.WordSection1
	{page:WordSection1;}
--></style><!--[if gte mso 9]><xml>
<o:shapedefaults v:ext="edit" spidmax="#w" />
</xml><![endif]-->
</head>
<body lang="EN-US" link="#c" vlink="#c" style="word-wrap:break-word">
<div class="WordSection1">
`,
		open: `<p class="MsoNormal"><span lang="EN-US" style="font-size:#s.0pt;mso-fareast-language:EN-US">`, close: "<o:p></o:p></span></p>\n<p class=\"MsoNormal\"><o:p>&nbsp;</o:p></p>\n",
		quoteOpen:  "<div>\n<div style=\"border:none;border-top:solid #c 1.0pt;padding:3.0pt 0cm 0cm 0cm\">\n",
		quoteClose: "</div>\n</div>\n", foot: "</div>\n</body>\n</html>\n",
	},
	{
		head: `<div dir="ltr"><div class="gmail_default" style="font-family:#f,helvetica,sans-serif;font-size:small;color:#c">`,
		open: `<div class="gmail_default" style="font-family:#f,helvetica,sans-serif">`, close: "<br></div><div><br></div>",
		quoteOpen:  `<br><div class="gmail_quote gmail_quote_container"><blockquote class="gmail_quote" style="margin:0px 0px 0px 0.8ex;border-left:1px solid rgb(204,204,204);padding-left:1ex">`,
		quoteClose: "</blockquote></div>\n", foot: "</div></div>\n",
	},
	{
		head: `<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml"><head><meta http-equiv="Content-Type" content="text/html; charset=UTF-8" /><meta name="viewport" content="width=device-width, initial-scale=1.0" />
<style type="text/css">
  body { margin:0; padding:0; background-color:#c; }
  table.outer { width:#wpx; border-collapse:collapse; }
  td.text { font-family:#f, Arial, sans-serif; font-size:#spx; line-height:22px; color:#c; padding:0 24px 16px 24px; }
  a.button { display:inline-block; background:#c; color:#ffffff; padding:10px 18px; border-radius:4px; text-decoration:none; }
  @media only screen and (max-width:600px) { table.outer { width:100% !important; } }
</style></head>
<body><div style="display:none;max-height:0;overflow:hidden">#k</div>
<table role="presentation" align="center" border="0" cellpadding="0" cellspacing="0" width="100%"><tr><td align="center" bgcolor="#c">
<table class="outer" role="presentation" border="0" cellpadding="0" cellspacing="0" width="#w">
<tr><td style="padding:24px"><img src="https://img.mail.example/logo/#k.png" width="140" height="38" alt="Logo" style="display:block;border:0" /></td></tr>
`,
		open: `<tr><td class="text" align="left" valign="top" style="font-family:#f, Arial, sans-serif; font-size:#spx; line-height:22px;">`, close: "</td></tr>\n",
		quoteOpen: "<tr><td class=\"text\" style=\"border-left:3px solid #c\"><table role=\"presentation\" width=\"100%\">\n", quoteClose: "</table></td></tr>\n",
		foot: `</table>
</td></tr></table>
<img src="https://click.mail.example/o/#k" width="1" height="1" alt="" />
</body></html>
`,
	},
	{
		head: `<html><head><meta http-equiv="content-type" content="text/html; charset=UTF-8"></head><body style="overflow-wrap: break-word; -webkit-nbsp-mode: space; line-break: after-white-space;">`,
		open: `<div style="caret-color: rgb(0, 0, 0); font-family: #f; font-size: #spx;">`, close: "</div><div><br></div>",
		quoteOpen: `<div><br><blockquote type="cite"><div>`, quoteClose: "</div></blockquote></div><br>", foot: "</body></html>",
	},
}

var (
	styleFonts   = []string{"Calibri", "Arial", "Aptos", "Verdana", "Segoe UI", "Helvetica", "Tahoma", "Georgia"}
	styleColours = []string{"#1f497d", "#0563c1", "#333333", "#22313f", "#954f72", "#e1e1e1", "#f4f6f8", "#b5c4df", "#005a9c", "#7f8c8d"}
)

// smallPrint stands at the end of mails of companies.
var smallPrint = []string{
	`This message and its attachments are meant for the person it is addressed to. If it has reached you by mistake, please tell the sender and delete it. We check mail for malware, and still answer for nothing that it brings. Registered in Example County, number 4471902. Directors: A. Stone, L. Brandt & T. Rey.`,
	`Diese Nachricht ist nur für den genannten Empfänger bestimmt. Wer sie irrtümlich erhalten hat, möge den Absender verständigen und sie löschen. Sitz der Gesellschaft: Beispielstadt, Amtsgericht Beispielstadt HRB 55 0193, Geschäftsführung: Dr. J. Weiß, A. Möller. Umsatzsteuer-Identnummer DE 999 999 999.`,
	`Ce courriel est destiné à la seule personne nommée ci-dessus. S’il vous est parvenu par erreur, merci d’en avertir l’expéditeur et de le supprimer. SARL au capital de 7 500 €, RCS Exempleville B 999 999 999. Avant d’imprimer, pensez à l’environnement.`,
	`Este mensaje va dirigido solo a su destinatario. Si lo ha recibido por error, avise a quien lo envía y bórrelo. Sus datos se tratan según el reglamento europeo y puede pedir que se corrijan o se borren en privacidad@mail.example.`,
}
