package simforce

// language is what the generator needs to write a believable conversation. The
// sentences were written for this project; %s in quote is a name, in the
// subjects nothing is filled in.
type language struct {
	code      string
	names     [][2]string // first, last
	subjects  []string
	hello     string // before the name
	openings  []string
	details   []string
	asks      []string
	bye       string
	replies   []string // of the support desk
	followups []string // of the customer, after a reply
	quote     string   // line above quoted text: date, then name
	sign      []string // job titles for signatures
}

var languages = []language{
	{
		code: "en", names: [][2]string{{"Martha", "Quill"}, {"Owen", "Pratt"}, {"Priya", "Nair"}, {"Hugh", "Tanner"}},
		subjects:  []string{"Invoice shows the wrong amount", "Cannot log in since this morning", "Delivery is late again", "Question about our contract"},
		hello:     "Hello",
		openings:  []string{"I am writing because something went wrong with our order.", "We have been customers for four years and never had this before.", "Sorry to bother you on a Friday."},
		details:   []string{"The total on the last page is 1,240.50 but we agreed on 1,140.50.", "After the update every page shows an empty list, on three different machines.", "Two of the five boxes arrived open, and one was missing.", "The export stops at row 4,096 without any message."},
		asks:      []string{"Could you look into it before Thursday?", "What should we do now?", "Please send a corrected copy."},
		bye:       "Kind regards",
		replies:   []string{"Thank you for the details. I can see the problem in our log and have passed it to the team.", "I am sorry about this. A corrected document is on its way.", "Could you send a screenshot of the whole window, please?"},
		followups: []string{"Thanks, that works now!", "I am afraid it still happens, see below.", "Any news on this?"},
		quote:     "On %s, %s wrote:", sign: []string{"Head of Purchasing", "Operations Lead"},
	},
	{
		code: "de", names: [][2]string{{"Jürgen", "Weiß"}, {"Annegret", "Möller"}, {"Cem", "Yıldız"}},
		subjects:  []string{"Rechnung Nr. 2024-118 stimmt nicht", "Anmeldung nicht mehr möglich", "Rückfrage zur Lieferung"},
		hello:     "Guten Tag",
		openings:  []string{"leider gibt es mit unserer letzten Bestellung ein Problem.", "wir haben gestern auf die neue Version umgestellt.", "ich beziehe mich auf unser Telefonat."},
		details:   []string{"Auf Seite 2 fehlen drei Positionen, die Summe weicht um 89,90 € ab.", "Nach der Eingabe des Kennworts bleibt der Bildschirm weiß.", "Das Paket wurde bei einem Nachbarn abgegeben, den niemand kennt."},
		asks:      []string{"Können Sie das bitte bis Freitag klären?", "Wie sollen wir weiter vorgehen?", "Bitte rufen Sie mich kurz zurück."},
		bye:       "Mit freundlichen Grüßen",
		replies:   []string{"vielen Dank für Ihre Nachricht. Wir prüfen den Vorgang und melden uns morgen.", "die Ursache ist gefunden, heute Abend spielen wir eine Korrektur ein."},
		followups: []string{"danke, jetzt läuft alles wieder.", "der Fehler tritt leider weiterhin auf."},
		quote:     "Am %s schrieb %s:", sign: []string{"Leiterin Einkauf", "Technischer Dienst"},
	},
	{
		code: "fr", names: [][2]string{{"Hélène", "Garnier"}, {"Loïc", "Bélanger"}},
		subjects:  []string{"Erreur sur la facture de mai", "Colis non reçu", "Accès au portail refusé"},
		hello:     "Bonjour",
		openings:  []string{"je vous écris au sujet de notre dernière commande.", "depuis lundi, plus personne ne peut se connecter chez nous."},
		details:   []string{"Le montant indiqué est de 312,40 € au lieu de 213,40 €.", "Le suivi affiche « livré », mais rien n’est arrivé.", "La page reste bloquée à l’étape n° 3."},
		asks:      []string{"Pourriez-vous vérifier rapidement ?", "Merci de me dire quoi faire."},
		bye:       "Cordialement",
		replies:   []string{"merci de votre message. Nous avons ouvert une enquête auprès du transporteur.", "une facture rectifiée vous sera envoyée aujourd’hui."},
		followups: []string{"c’est réglé, merci beaucoup !", "je n’ai toujours rien reçu."},
		quote:     "Le %s, %s a écrit :", sign: []string{"Responsable logistique"},
	},
	{
		code: "es", names: [][2]string{{"Íñigo", "Muñoz"}, {"Pilar", "Ibáñez"}},
		subjects:  []string{"¿Dónde está mi pedido?", "Cobro duplicado en la tarjeta"},
		hello:     "Hola",
		openings:  []string{"les escribo por el pedido de la semana pasada.", "hemos visto dos cargos iguales en nuestra cuenta."},
		details:   []string{"El importe es de 75,00 € y aparece dos veces el mismo día.", "El número de seguimiento no existe según la página."},
		asks:      []string{"¿Me pueden ayudar, por favor?", "Quedo a la espera de su respuesta."},
		bye:       "Un saludo",
		replies:   []string{"gracias por avisar. Ya hemos solicitado la devolución.", "su paquete sale mañana del almacén."},
		followups: []string{"perfecto, ya lo veo. ¡Gracias!", "sigue igual, lo siento."},
		quote:     "El %s, %s escribió:", sign: []string{"Administración"},
	},
	{
		code: "pl", names: [][2]string{{"Łukasz", "Żak"}, {"Małgorzata", "Dąbek"}},
		subjects:  []string{"Nie działa logowanie", "Pytanie o fakturę"},
		hello:     "Dzień dobry",
		openings:  []string{"od wczoraj nie możemy zalogować się do panelu.", "proszę o sprawdzenie naszej ostatniej faktury."},
		details:   []string{"Po wpisaniu hasła pojawia się błąd nr 403.", "Kwota powinna wynosić 980 zł, a jest 1098 zł."},
		asks:      []string{"Czy mogą Państwo to sprawdzić?"},
		bye:       "Pozdrawiam",
		replies:   []string{"dziękujemy za zgłoszenie, zajmiemy się tym jeszcze dziś."},
		followups: []string{"dziękuję, już działa.", "niestety problem nadal występuje."},
		quote:     "W dniu %s %s napisał(a):", sign: []string{"Księgowość"},
	},
	{
		code: "ru", names: [][2]string{{"Ольга", "Ермакова"}, {"Тимур", "Белов"}},
		subjects:  []string{"Не приходит код подтверждения", "Вопрос по договору"},
		hello:     "Здравствуйте",
		openings:  []string{"уже второй день мы не можем войти в систему.", "пишу по поводу нашего договора."},
		details:   []string{"Код на телефон не приходит, хотя номер верный.", "В приложении № 2 указан старый адрес."},
		asks:      []string{"Подскажите, пожалуйста, что делать?"},
		bye:       "С уважением",
		replies:   []string{"спасибо за обращение, мы уже проверяем.", "исправленный документ отправим сегодня."},
		followups: []string{"спасибо, всё заработало!", "к сожалению, ничего не изменилось."},
		quote:     "%s, %s пишет:", sign: []string{"Отдел закупок"},
	},
	{
		code: "ja", names: [][2]string{{"彩", "西川"}, {"健太", "大森"}},
		subjects:  []string{"請求書の金額について", "ログインできません"},
		hello:     "お世話になっております。",
		openings:  []string{"先日届いた請求書についてお尋ねします。", "今朝から管理画面に入れなくなりました。"},
		details:   []string{"合計が契約の金額より三千円多くなっています。", "パスワードを変えても「接続できません」と表示されます。"},
		asks:      []string{"ご確認をお願いいたします。"},
		bye:       "よろしくお願いいたします。",
		replies:   []string{"ご連絡ありがとうございます。ただいま確認しております。"},
		followups: []string{"解決しました。ありがとうございました。", "まだ同じ表示が出ています。"},
		quote:     "%s %s のメール:", sign: []string{"総務部"},
	},
	{
		code: "zh", names: [][2]string{{"晓雯", "程"}, {"立群", "郭"}},
		subjects:  []string{"订单数量不对", "请问如何导出数据"},
		hello:     "您好",
		openings:  []string{"我们昨天收到的货和订单不一致。", "我想把去年的记录导出来。"},
		details:   []string{"订的是二十箱,只到了十八箱。", "导出到一半就停了,没有任何提示。"},
		asks:      []string{"麻烦帮忙查一下,谢谢。"},
		bye:       "此致敬礼",
		replies:   []string{"感谢您的反馈,我们正在和仓库核对。"},
		followups: []string{"已经收到,谢谢!", "问题还在,请再看看。"},
		quote:     "%s,%s 写道:", sign: []string{"采购部"},
	},
	{
		code: "ar", names: [][2]string{{"ريم", "الخطيب"}, {"سامر", "نصار"}},
		subjects:  []string{"مشكلة في تسجيل الدخول", "استفسار عن الفاتورة"},
		hello:     "مرحبا",
		openings:  []string{"أكتب إليكم بخصوص طلبنا الأخير.", "لا نستطيع الدخول إلى الحساب منذ الأمس."},
		details:   []string{"المبلغ في الفاتورة ٤٥٠ والمتفق عليه ٤٠٠.", "تظهر رسالة خطأ بعد إدخال كلمة المرور."},
		asks:      []string{"هل يمكنكم المساعدة من فضلكم؟"},
		bye:       "مع التحية",
		replies:   []string{"شكرا لرسالتكم، نراجع الأمر الآن."},
		followups: []string{"تم الحل، شكرا جزيلا.", "ما زالت المشكلة قائمة."},
		quote:     "في %s كتب %s:", sign: []string{"قسم المشتريات"},
	},
	{
		code: "hi", names: [][2]string{{"कविता", "जोशी"}, {"रोहन", "मेहरा"}},
		subjects:  []string{"बिल में गड़बड़ी", "पार्सल नहीं मिला"},
		hello:     "नमस्ते",
		openings:  []string{"हमारे पिछले ऑर्डर के बारे में लिख रही हूँ।", "कल से पोर्टल नहीं खुल रहा है।"},
		details:   []string{"बिल में राशि १,२०० रुपये ज़्यादा है।", "स्थिति में 'डिलीवर' लिखा है पर कुछ नहीं आया।"},
		asks:      []string{"कृपया जल्दी देख लें।"},
		bye:       "धन्यवाद",
		replies:   []string{"सूचना के लिए धन्यवाद, हम जाँच कर रहे हैं।"},
		followups: []string{"अब ठीक है, धन्यवाद।", "समस्या अब भी है।"},
		quote:     "%s को %s ने लिखा:", sign: []string{"ख़रीद विभाग"},
	},
}

// companies give customers a domain and a signature.
var companies = [][2]string{
	{"Brightwater Tools", "brightwater.example"}, {"Nordlicht Logistik", "nordlicht.example"}, {"Patisserie Colombe", "colombe.example"},
	{"Halden & Sons", "halden.example"}, {"Ostrava Press", "ostrava.example"}, {"Kitsune Trading", "kitsune.example"}, {"", "post.example"},
}
