import com.google.gson.GsonBuilder;
import hex.ModelCategory;
import hex.genmodel.CategoricalEncoding;
import hex.genmodel.ConverterFactoryProvidingModel;
import hex.genmodel.GenModel;
import hex.genmodel.IClusteringModel;
import hex.genmodel.MojoModel;
import hex.genmodel.algos.deeplearning.DeeplearningMojoModel;
import hex.genmodel.algos.glrm.GlrmMojoModel;
import hex.genmodel.algos.isotonic.IsotonicRegressionMojoModel;
import hex.genmodel.algos.rulefit.MojoCondition;
import hex.genmodel.algos.tree.SharedTreeGraphConverter;
import hex.genmodel.algos.tree.SharedTreeNode;
import hex.genmodel.algos.tree.SharedTreeSubgraph;
import hex.genmodel.easy.CategoricalEncoder;
import hex.genmodel.easy.EasyPredictModelWrapper;
import hex.genmodel.easy.RowData;
import hex.genmodel.easy.exception.PredictException;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.reflect.Array;
import java.lang.reflect.Field;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.tools.DiagnosticCollector;
import javax.tools.FileObject;
import javax.tools.ForwardingJavaFileManager;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileManager;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;

/**
 * Answers rows with a model of H2O, over pipes: `java -cp JARS Scorer.java mojo|pojo FILE THREADS`.
 *
 * A question is a byte and what belongs to it; numbers are little-endian. `q`: the number of rows (int32), then each column
 * as `Model.columns` orders them: numbers as float64, texts as their lengths in bytes (int32) and all their bytes. `t`: what
 * the trees of the model compare each column with. An answer is a byte, a length (int64) and so many bytes: 0 and, of `q`,
 * each output as float64 [rows, width], where a label is its place among the labels; 1 and why the model refuses; 2 where
 * memory was short, 3 where the question was not read to its end: both end the process. The first answer describes the model, in JSON. Nothing is written to any file.
 */
@SuppressWarnings("deprecation") // models of old versions have no other way
public class Scorer {
    private static final int DONE = 0, REFUSED = 1, NO_MEMORY = 2, LOST = 3, MAX_TEXT = 2000, MAX_THRESHOLDS = 512;
    private static final int ALONE = 32; // rows that are not worth another thread

    public static void main(String[] arguments) throws IOException {
        OutputStream out = new FileOutputStream(FileDescriptor.out);
        System.setOut(System.err); // what libraries print must not come between answers
        endWithParent();
        DataInputStream in = new DataInputStream(new BufferedInputStream(new FileInputStream(FileDescriptor.in), 1 << 16));
        Model model = null;
        while (true) {
            byte[] answer;
            int status = DONE;
            try {
                if (model == null) {
                    GenModel read = arguments[0].equals("pojo") ? compile(Path.of(arguments[1])) : MojoModel.load(arguments[1]);
                    model = new Model(read, Integer.parseInt(arguments[2]));
                    answer = model.describe();
                } else {
                    int kind = in.read();
                    if (kind < 0) {
                        return;
                    }
                    answer = kind == 't' ? model.findThresholds() : model.answer(in);
                }
            } catch (EOFException ended) {
                return;
            } catch (Throwable error) { // models raise what they like, errors among it
                Throwable cause = error;
                while (cause.getCause() != null && cause.getCause() != cause) {
                    cause = cause.getCause();
                }
                status = cause instanceof OutOfMemoryError ? NO_MEMORY : model != null && model.isReading ? LOST : REFUSED;
                String text = cause instanceof Refusal ? cause.getMessage() : cause.getClass().getSimpleName() + ": " + cause.getMessage();
                answer = text.substring(0, Math.min(text.length(), MAX_TEXT)).getBytes(StandardCharsets.UTF_8);
            }
            byte[] whole = new byte[9 + answer.length];
            ByteBuffer.wrap(whole).order(ByteOrder.LITTLE_ENDIAN).put((byte) status).putLong(answer.length).put(answer);
            out.write(whole);
            if (model == null || status == NO_MEMORY || status == LOST) {
                return;
            }
        }
    }

    /** The end of a pipe is seen between questions alone; a process whose parent is gone answers nobody. */
    private static void endWithParent() {
        ProcessHandle parent = ProcessHandle.current().parent().orElse(null);
        Thread watch = new Thread(() -> {
            while (ProcessHandle.current().parent().equals(Optional.ofNullable(parent))) {
                try {
                    Thread.sleep(1000);
                } catch (InterruptedException ended) {
                    return;
                }
            }
            Runtime.getRuntime().halt(1);
        });
        watch.setDaemon(true);
        watch.start();
    }

    private static byte[] json(Object value) {
        return new GsonBuilder().serializeNulls().create().toJson(value).getBytes(StandardCharsets.UTF_8);
    }

    private static class Refusal extends RuntimeException {
        Refusal(String message) {
            super(message);
        }
    }

    // --- a POJO: compiled in memory -------------------------------------------------------------------------------

    private static GenModel compile(Path path) throws Exception {
        String source = Files.readString(path);
        Matcher found = Pattern.compile("public\\s+class\\s+(\\w+)\\s+extends\\s+(hex\\.genmodel\\.)?GenModel\\b").matcher(source);
        if (!found.find()) {
            throw new Refusal("expected a public class that extends GenModel, found none");
        }
        String name = found.group(1);
        JavaFileObject unit = new SimpleJavaFileObject(URI.create("string:///" + name + ".java"), JavaFileObject.Kind.SOURCE) {
            @Override
            public CharSequence getCharContent(boolean ignoreErrors) {
                return source;
            }
        };
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        DiagnosticCollector<JavaFileObject> troubles = new DiagnosticCollector<>();
        Map<String, ByteArrayOutputStream> classes = new HashMap<>();
        StandardJavaFileManager files = compiler.getStandardFileManager(troubles, null, StandardCharsets.UTF_8);
        JavaFileManager inMemory = new ForwardingJavaFileManager<>(files) {
            @Override
            public JavaFileObject getJavaFileForOutput(Location location, String made, JavaFileObject.Kind kind, FileObject sibling) {
                return new SimpleJavaFileObject(URI.create("memory:///" + made.replace('.', '/') + ".class"), kind) {
                    @Override
                    public OutputStream openOutputStream() {
                        return classes.computeIfAbsent(made, each -> new ByteArrayOutputStream());
                    }
                };
            }
        };
        List<String> options = List.of("-proc:none", "-nowarn", "-g:none", "-cp", System.getProperty("java.class.path"));
        if (!compiler.getTask(null, inMemory, troubles, options, null, List.of(unit)).call()) {
            String first = troubles.getDiagnostics().stream().filter(each -> each.getKind() == javax.tools.Diagnostic.Kind.ERROR)
                .map(each -> "line " + each.getLineNumber() + ": " + each.getMessage(null)).findFirst().orElse("no reason");
            throw new Refusal("the source does not compile, " + first);
        }
        ClassLoader loader = new ClassLoader(Scorer.class.getClassLoader()) {
            @Override
            protected Class<?> findClass(String wanted) throws ClassNotFoundException {
                ByteArrayOutputStream code = classes.remove(wanted);
                if (code == null) {
                    throw new ClassNotFoundException(wanted);
                }
                return defineClass(wanted, code.toByteArray(), 0, code.size());
            }
        };
        return (GenModel) loader.loadClass(name).getDeclaredConstructor().newInstance();
    }

    // --- a model --------------------------------------------------------------------------------------------------

    /** One column of a question: texts where it has a domain. */
    private static class Column {
        String name;
        String[] domain;
        boolean offset;
        transient int index;
        transient CategoricalEncoder encoder;
    }

    private static class Output {
        String name;
        int width;
        String[] labels;

        Output(String name, int width, String[] labels) {
            this.name = name;
            this.width = width;
            this.labels = labels;
        }
    }

    /** What converts rows of models that have a way of their own. */
    private static class Converter extends EasyPredictModelWrapper {
        Converter(Config config) {
            super(config);
        }

        double[] convert(RowData data, double[] row) throws PredictException {
            return fillRawData(data, row);
        }
    }

    private static class Model {
        private final GenModel model;
        private final ModelCategory category;
        private final List<Column> columns = new ArrayList<>();
        private final List<Output> outputs = new ArrayList<>();
        private final boolean hasOffset;
        private final Converter converter;
        private final ExecutorService pool;
        private final int threads;
        private final ThreadLocal<GenModel> own = ThreadLocal.withInitial(this::instance);
        private boolean isCalibrated;
        private boolean isReading;

        Model(GenModel model, int threads) throws Exception {
            this.model = model;
            this.category = model.getModelCategory();
            this.threads = threads;
            this.pool = Executors.newFixedThreadPool(Math.max(1, threads - 1), task -> {
                Thread thread = new Thread(task);
                thread.setDaemon(true);
                return thread;
            });
            hasOffset = model.getOffsetName() != null;
            refuseUnknown();
            EasyPredictModelWrapper.Config config = new EasyPredictModelWrapper.Config().setModel(model);
            config.setConvertUnknownCategoricalLevelsToNa(true);
            converter = model instanceof ConverterFactoryProvidingModel ? new Converter(config) : null;
            findColumns();
            findOutputs();
        }

        /** Some models keep what they compute in themselves, so that each thread needs one. */
        private GenModel instance() {
            try {
                return model instanceof MojoModel ? model.internal_threadSafeInstance() : model.getClass().getDeclaredConstructor().newInstance();
            } catch (ReflectiveOperationException error) {
                throw new IllegalStateException(error);
            }
        }

        private void refuseUnknown() {
            if (category == ModelCategory.WordEmbedding) {
                throw new Refusal("Word2Vec has vectors of words, and no answer for a row of a table; look words up in what h2o.toFrame gives");
            }
            CategoricalEncoding encoding = model.getCategoricalEncoding();
            if (encoding == CategoricalEncoding.Eigen || encoding == CategoricalEncoding.EnumLimited) {
                throw new Refusal("categorical_encoding = " + encoding + ": genmodel answers otherwise than what was trained; train with enum");
            }
            if (model instanceof GlrmMojoModel) {
                throw new Refusal("GLRM: its answers depend on how many rows were asked before; use PCA");
            }
            if (hasOffset && model instanceof DeeplearningMojoModel) {
                throw new Refusal("offset_column: genmodel leaves it out of what deep learning answers; train without one");
            }
        }

        private void findColumns() {
            CategoricalEncoding encoding = model.getCategoricalEncoding();
            Map<String, Integer> places = encoding.createColumnMapping(model);
            Map<Integer, CategoricalEncoder> encoders = encoding.createCategoricalEncoders(model, places);
            boolean isEncoded = model.getOrigNames() != null && model.getOrigDomainValues() != null;
            String[] names = isEncoded ? model.getOrigNames() : model.getNames();
            String[][] domains = isEncoded ? model.getOrigDomainValues() : model.getDomainValues();
            Set<String> made = new HashSet<>();
            for (Object each : flatten(read(model, "_gamColNamesCenter"))) { // which a GAM makes of the others
                made.add((String) each);
            }
            for (int i = 0; i < names.length; i++) {
                Integer index = places.get(names[i]);
                boolean isResponse = model.isSupervised() && names[i].equals(model.getResponseName());
                if (index == null || index >= model.nfeatures() || isResponse || made.contains(names[i])) {
                    continue;
                }
                Column column = new Column();
                column.name = names[i];
                column.index = index;
                column.encoder = encoders.get(index);
                column.domain = column.encoder == null ? null : domains[i];
                columns.add(column);
            }
            if (hasOffset) {
                Column column = new Column();
                column.name = model.getOffsetName();
                column.offset = true;
                columns.add(column);
            }
        }

        private void findOutputs() {
            double[] row = new double[model.nfeatures()];
            for (Column column : columns) {
                if (column.encoder != null && (column.domain.length == 0 || !column.encoder.encodeCatValue(column.domain[0], row))) {
                    column.encoder.encodeNA(row);
                }
            }
            double[] preds = score(model, row, 0.0);
            switch (category) {
                case Binomial:
                case Multinomial:
                case Ordinal:
                    String[] labels = model.getDomainValues(model.getResponseIdx());
                    labels = labels == null && model.getNumResponseClasses() == 2 ? new String[] {"0", "1"} : labels;
                    if (labels == null) {
                        throw new Refusal("expected labels of the classes in the model, found none");
                    }
                    outputs.add(new Output("label", 1, labels));
                    outputs.add(new Output("probabilities", model.getNumResponseClasses(), null));
                    isCalibrated = category == ModelCategory.Binomial && model.calibrateClassProbabilities(preds.clone());
                    if (isCalibrated) {
                        outputs.add(new Output("calibrated_probabilities", model.getNumResponseClasses(), null));
                    }
                    break;
                case Regression:
                case CoxPH:
                    outputs.add(new Output("prediction", 1, null));
                    break;
                case Clustering:
                    outputs.add(new Output("cluster", 1, null));
                    if (model instanceof IClusteringModel) {
                        outputs.add(new Output("distances", ((IClusteringModel) model).getNumClusters(), null));
                    }
                    break;
                case AnomalyDetection:
                    if (preds.length == 3) {
                        outputs.add(new Output("is_anomaly", 1, null));
                    }
                    outputs.add(new Output("score", 1, null));
                    outputs.add(new Output("mean_length", 1, null));
                    break;
                case AutoEncoder:
                    outputs.add(new Output("reconstructed", preds.length, null));
                    if (model instanceof DeeplearningMojoModel) {
                        outputs.add(new Output("error", 1, null));
                    }
                    break;
                case DimReduction:
                    outputs.add(new Output("dimensions", preds.length, null));
                    break;
                case TargetEncoder:
                    outputs.add(new Output("encoded", preds.length, null));
                    break;
                case BinomialUplift:
                    outputs.add(new Output("uplift", 1, null));
                    outputs.add(new Output("with_treatment", 1, null));
                    outputs.add(new Output("without_treatment", 1, null));
                    break;
                case KLime:
                    outputs.add(new Output("prediction", 1, null));
                    outputs.add(new Output("cluster", 1, null));
                    outputs.add(new Output("reason_codes", preds.length - 2, null));
                    break;
                default:
                    throw new Refusal("category " + category + " has no answer for a row of a table");
            }
        }

        byte[] describe() {
            Map<String, Object> told = new LinkedHashMap<>();
            told.put("category", category.name());
            told.put("columns", columns);
            told.put("outputs", outputs);
            return json(told);
        }

        private double[] score(GenModel own, double[] row, double offset) {
            double[] preds = new double[own.getPredsSize(category)];
            try {
                return hasOffset || own.requiresOffset() ? own.score0(row, offset, preds) : own.score0(row, preds);
            } catch (UnsupportedOperationException error) {
                throw new Refusal("offset_column: genmodel has none for this algorithm; train without one");
            }
        }

        // --- rows ---------------------------------------------------------------------------------------------------

        byte[] answer(DataInputStream in) throws Exception {
            isReading = true;
            int rows = Integer.reverseBytes(in.readInt());
            Object[] values = new Object[columns.size()];
            for (int i = 0; i < values.length; i++) {
                values[i] = columns.get(i).domain == null ? readNumbers(in, rows) : readTexts(in, rows);
            }
            isReading = false;
            double[][] answers = new double[outputs.size()][];
            for (int i = 0; i < answers.length; i++) {
                answers[i] = new double[rows * outputs.get(i).width];
            }
            int pieces = Math.min(threads, Math.max(1, rows / ALONE));
            List<Future<?>> others = new ArrayList<>();
            for (int piece = 1; piece < pieces; piece++) {
                int from = (int) ((long) rows * piece / pieces), to = (int) ((long) rows * (piece + 1) / pieces);
                others.add(pool.submit(() -> {
                    scoreAll(values, answers, from, to);
                    return null;
                }));
            }
            scoreAll(values, answers, 0, rows / pieces);
            for (Future<?> each : others) {
                each.get();
            }
            int size = Arrays.stream(answers).mapToInt(each -> each.length * 8).sum();
            ByteBuffer buffer = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
            for (double[] each : answers) {
                buffer.asDoubleBuffer().put(each);
                buffer.position(buffer.position() + 8 * each.length);
            }
            return buffer.array();
        }

        private static double[] readNumbers(DataInputStream in, int rows) throws IOException {
            byte[] bytes = new byte[Math.multiplyExact(8, rows)];
            in.readFully(bytes);
            double[] numbers = new double[rows];
            ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asDoubleBuffer().get(numbers);
            return numbers;
        }

        private static String[] readTexts(DataInputStream in, int rows) throws IOException {
            byte[] bytes = new byte[Math.multiplyExact(4, rows)];
            in.readFully(bytes);
            int[] lengths = new int[rows];
            ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asIntBuffer().get(lengths);
            byte[] all = new byte[Arrays.stream(lengths).reduce(0, Math::addExact)];
            in.readFully(all);
            String[] texts = new String[rows];
            for (int i = 0, at = 0; i < rows; at += lengths[i++]) {
                texts[i] = new String(all, at, lengths[i], StandardCharsets.UTF_8);
            }
            return texts;
        }

        private void scoreAll(Object[] values, double[][] answers, int from, int to) throws PredictException {
            GenModel own = this.own.get();
            double[] row = new double[own.nfeatures()];
            for (int i = from; i < to; i++) {
                Arrays.fill(row, Double.NaN);
                double offset = fill(row, values, i);
                tell(own, row, offset, answers, i);
            }
        }

        /** Put one row's values where the model looks for them, and return its offset. */
        private double fill(double[] row, Object[] values, int number) throws PredictException {
            int width = values.length - (hasOffset ? 1 : 0);
            RowData data = converter == null ? null : new RowData();
            for (int i = 0; i < width; i++) {
                Column column = columns.get(i);
                if (column.domain == null) {
                    double value = ((double[]) values[i])[number];
                    if (data == null) {
                        row[column.index] = value;
                    } else if (!Double.isNaN(value)) {
                        data.put(column.name, value);
                    }
                    continue;
                }
                String text = ((String[]) values[i])[number];
                if (data != null) {
                    data.put(column.name, text);
                } else if (!column.encoder.encodeCatValue(text, row)) { // H2O takes a level that it does not know for a missing one
                    column.encoder.encodeNA(row);
                }
            }
            if (data != null) {
                System.arraycopy(converter.convert(data, row), 0, row, 0, row.length);
            }
            return hasOffset ? ((double[]) values[width])[number] : 0.0;
        }

        private void tell(GenModel own, double[] row, double offset, double[][] answers, int number) {
            if (category == ModelCategory.Clustering && own instanceof IClusteringModel) {
                double[] distances = new double[outputs.get(1).width];
                answers[0][number] = score(own, row.clone(), offset)[0];
                ((IClusteringModel) own).distances(row, distances);
                System.arraycopy(distances, 0, answers[1], number * distances.length, distances.length);
                return;
            }
            double[] given = category == ModelCategory.AutoEncoder ? row.clone() : null;
            double[] preds = score(own, row, offset);
            int at = 0;
            for (int i = 0; i < answers.length; i++) {
                int width = outputs.get(i).width;
                if (isCalibrated && i == 2) {
                    own.calibrateClassProbabilities(preds);
                    at = 1;
                }
                if (given != null && i == 1) {
                    double[] expanded = expand(given, preds.length);
                    answers[i][number] = ((DeeplearningMojoModel) own).calculateReconstructionErrorPerRowData(expanded, preds);
                    continue;
                }
                System.arraycopy(preds, at, answers[i], number * width, width);
                at += width;
            }
        }

        /** As EasyPredictModelWrapper.expandRawData. */
        private double[] expand(double[] row, int size) {
            double[] expanded = new double[size];
            int at = 0;
            for (int i = 0; i < row.length; i++) {
                String[] domain = model.getDomainValues(i);
                if (domain == null) {
                    expanded[at++] = row[i];
                } else {
                    expanded[at + (Double.isNaN(row[i]) ? domain.length : (int) row[i])] = 1.0;
                    at += domain.length + 1;
                }
            }
            return expanded;
        }

        // --- what to ask --------------------------------------------------------------------------------------------

        byte[] findThresholds() {
            Map<String, TreeSet<Double>> found = new TreeMap<>();
            collect(model, found);
            Map<String, double[]> told = new LinkedHashMap<>();
            for (Column column : columns) {
                TreeSet<Double> all = column.domain == null ? found.getOrDefault(column.name, new TreeSet<>()) : new TreeSet<>();
                double[] numbers = all.stream().filter(each -> Double.isFinite(each)).mapToDouble(each -> each).toArray();
                if (numbers.length > MAX_THRESHOLDS) {
                    double[] many = numbers;
                    numbers = new double[MAX_THRESHOLDS];
                    for (int i = 0; i < numbers.length; i++) {
                        numbers[i] = many[(int) ((long) i * (many.length - 1) / (numbers.length - 1))];
                    }
                }
                told.put(column.name, numbers);
            }
            return json(told);
        }

        private static void collect(GenModel model, Map<String, TreeSet<Double>> found) {
            if (model instanceof SharedTreeGraphConverter) {
                for (SharedTreeSubgraph tree : ((SharedTreeGraphConverter) model).convert(-1, null).subgraphArray) {
                    for (SharedTreeNode node : tree.nodesArray) {
                        if (!node.isLeaf() && !node.isBitset() && node.getColName() != null) {
                            put(found, node.getColName(), node.getSplitValue());
                        }
                    }
                }
            }
            for (Object base : flatten(read(model, "_baseModels"))) {
                collect((GenModel) read(base, "_mojoModel"), found);
            }
            for (Object rule : flatten(read(read(model, "_ruleEnsemble"), "_orderedRules"))) {
                for (Object each : flatten(read(rule, "_conditions"))) {
                    put(found, ((MojoCondition) each)._featureName, ((MojoCondition) each)._numThreshold);
                }
            }
            for (Object knot : flatten(read(read(model, "_isotonic_calibrator"), "_thresholds_x"))) {
                if (model instanceof IsotonicRegressionMojoModel) { // else it calibrates probabilities
                    put(found, model.getNames()[0], (double) knot);
                }
            }
            collectKnots(model, found);
            collectMeans(model, found);
        }

        private static void collectKnots(GenModel model, Map<String, TreeSet<Double>> found) {
            Object names = read(model, "_gam_columns"), knots = read(model, "_knots");
            for (int i = 0; names != null && knots != null && i < Array.getLength(names); i++) {
                for (int j = 0; j < Array.getLength(Array.get(names, i)); j++) {
                    for (Object knot : flatten(Array.get(Array.get(knots, i), j))) {
                        put(found, (String) Array.get(Array.get(names, i), j), (double) knot);
                    }
                }
            }
        }

        /** Of models that compute with numbers: the mean of each column, and two deviations around it, where they are stored. */
        private static void collectMeans(GenModel model, Map<String, TreeSet<Double>> found) {
            double[] means = null;
            double[] scales = null;
            for (String[] names : new String[][] {{"_normsub", "_normmul"}, {"_normSub", "_normMul"}, {"_means", "_mults"}, {"_numMeans", ""}}) {
                if (means == null && read(model, names[0]) instanceof double[]) {
                    means = (double[]) read(model, names[0]);
                    scales = read(model, names[1]) instanceof double[] ? (double[]) read(model, names[1]) : null;
                }
            }
            if (means == null) {
                return;
            }
            int[] order = read(model, "_permutation") instanceof int[] ? (int[]) read(model, "_permutation") : null;
            int first = model.nfeatures() - means.length; // columns with categories come first
            for (int i = 0; i < means.length; i++) {
                int place = order == null ? first + i : order[first + i];
                double spread = scales == null || scales[i] == 0 ? Math.abs(means[i]) : 2 / scales[i];
                for (int side = -1; side <= 1; side++) {
                    put(found, model.getNames()[place], means[i] + side * spread);
                }
            }
        }

        private static void put(Map<String, TreeSet<Double>> found, String name, double value) {
            found.computeIfAbsent(name, each -> new TreeSet<>()).add(value);
        }

        /** Return a field of any class of genmodel's, most of which are for its own packages; null if it has none. */
        private static Object read(Object from, String name) {
            for (Class<?> kind = from == null ? null : from.getClass(); kind != null && !name.isEmpty(); kind = kind.getSuperclass()) {
                try {
                    Field field = kind.getDeclaredField(name);
                    field.setAccessible(true);
                    return field.get(from);
                } catch (ReflectiveOperationException | RuntimeException missing) {
                    continue;
                }
            }
            return null;
        }

        /** Return what is in arrays of arrays; nothing of null. */
        private static List<Object> flatten(Object value) {
            List<Object> found = new ArrayList<>();
            if (value == null || !value.getClass().isArray()) {
                return value == null ? found : List.of(value);
            }
            for (int i = 0; i < Array.getLength(value); i++) {
                found.addAll(flatten(Array.get(value, i)));
            }
            return found;
        }
    }
}
