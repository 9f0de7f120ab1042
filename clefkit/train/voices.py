def draw(generator): return {"kind":"voice"}
def play(notes,player,length,rate,tuning,generator):
    from clefkit.train import timbres
    i=timbres.draw(generator); i["kind"]="sustained"
    return notes, timbres.play(notes,i,length,rate,tuning,generator)
